/** An operator resets a session: what was sent after that point is sent anew by the server, and taken. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentAt, echo } from '../support/app.ts';
import { allEvents, atRest, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
import { replay } from '../support/replay.ts';
import { allTasks, resetTo } from '../support/reset.ts';

let h: Harness;
let model: ModelServer;

beforeAll(async () => {
  model = await ModelServer.start(() => 'ok');
  h = await harness();
  await h.work({ agents: [agentAt(model.url)], tasks: [echo] });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

test.each([2, 4, -1])(
  'X-07 a session that is reset to its task %d with updates and signals behind it goes on, and replays',
  async (at) => {
    const session = await h.client.startSession(uniqueId());
    for (const runId of ['a', 'b', 'c']) await session.startRun({ agent: 'echo', input: 1, runId });
    await atRest(session);
    await session.submitTurn({ input: 'x' });
    await atRest(session);
    const task = (await allTasks(h.temporal, session.sessionId)).at(at);
    if (task === undefined) throw new Error('Expected the session to have had so many tasks.');
    await resetTo(h.temporal, session.sessionId, task, 'anew');
    await atRest(session);
    expect((await session.listRuns()).runs.map(({ runId, status }) => [runId, status])).toEqual([
      ['a', 'completed'],
      ['b', 'completed'],
      ['c', 'completed'],
    ]);
    const seqs = (await allEvents(session)).map((event) => event.seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    await replay(await h.temporal.workflow.getHandle(session.sessionId).fetchHistory(), session.sessionId);
    await session.close();
  },
);
