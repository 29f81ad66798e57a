/** An update that comes to a worker without the workflow, behind a workflow task that had nothing to ask for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { last, ModelServer, type Answer } from '../support/model-server.ts';
import { replayAll } from '../support/replay.ts';
import { Bench } from '../support/worker-process.ts';

let h: Harness;
let model: ModelServer;
let answer: Answer = () => 'ok';

beforeAll(async () => {
  h = await harness();
  model = await ModelServer.start((call) => answer(call));
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await model.stop();
});

test('X-07 an answer that comes to another worker, behind a task that had nothing to ask for, is replayed as it was taken', async () => {
  await using bench = await Bench.open(h.taskQueue, model.url);
  answer = (call) =>
    last(call).role === 'user' && last(call).text === 'work'
      ? {
          tools: [
            { name: 'ask_parent', input: { question: 'Which?' } },
            { name: 'note', input: { line: 'a', gate: 'go' } },
          ],
        }
      : 'done';
  const first = await bench.worker();
  const session = await h.client.startSession(uniqueId());
  const { runId, workflowId } = await session.startRun({
    agent: 'helper',
    input: 'work',
    detached: { notify: 'silent' },
  });
  const run = h.temporal.workflow.getHandle(workflowId);
  const events = async () => (await run.fetchHistory()).events ?? [];
  const [request] = await eventually('the question', async () => {
    const { requests } = await session.getSession();
    return requests.length > 0 && requests;
  });
  await eventually('the tool to begin', async () => Promise.resolve(bench.lines('tool-begun').includes('a')));
  await eventually(
    'the run to be quiet',
    async () => (await events()).at(-1)?.workflowPropertiesModifiedEventAttributes,
  );
  bench.open('go');
  await eventually('the task that has the result of the tool', async () => {
    const all = await events();
    const done = all.filter((event) => event.activityTaskCompletedEventAttributes).length;
    return done === 2 && all.at(-1)?.workflowPropertiesModifiedEventAttributes;
  });
  await first.kill();
  const other = await bench.worker();
  await session.answer({ requestId: request?.requestId ?? '', value: 'this one' });
  expect(await session.run(runId).result()).toBe('done');
  await replayAll(h.temporal, workflowId);
  await session.close();
  await other.kill();
});
