import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentAt, echo } from '../support/app.ts';
import { badArguments, CASES } from '../support/bad-input.ts';
import { atRest, eventually, harness, uniqueId, type Harness } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
test('x', async () => {
  await using h = await harness();
  const model = await ModelServer.start(() => 'ok');
  await h.work({ agents: [agentAt(model.url)], tasks: [echo] });
  for (let i = 0; i < 21; i++) {
    const session = await h.client.startSession(uniqueId());
    await session.startRun({ agent: 'echo', input: 1, runId: 'settled', detached: { notify: 'silent' } });
    await eventually('the settle', async () => (await session.getRun({ runId: 'settled' }))?.status === 'completed');
    const handle = h.temporal.workflow.getHandle(session.sessionId);
    for (const { argument } of badArguments(CASES[i % 7]!)) await handle.executeUpdate(CASES[i%7]!.message, { args: [argument], updateId: randomUUID() }).catch(() => 0);
    await handle.fetchHistory();
    try {
      await handle.executeUpdate('startRun', { args: [{ agent: 'echo', input: 1, unknown: { field: true } }] });
      const { turnId } = await session.submitTurn({ input: 'are you there?' });
      await eventually('the turn', async () => (await session.getTurn({ turnId }))?.status === 'completed');
    } catch (error) { console.log(String(error), String((error as Error).cause)); }
    for (const e of (await handle.fetchHistory()).events ?? []) if (e.workflowTaskFailedEventAttributes) console.log(i, e.eventId?.toString(), JSON.stringify(e.workflowTaskFailedEventAttributes));
    await session.close().catch((error) => console.log('CLOSE', String(error.cause)));
    for (const e of (await handle.fetchHistory()).events ?? []) if (e.workflowTaskFailedEventAttributes) console.log(i, e.eventId?.toString(), JSON.stringify(e.workflowTaskFailedEventAttributes));
    console.log(i, (await handle.fetchHistory()).events?.slice(-12).map((e) => e.eventType).join(' '));
  }
  await model.stop();
});
