/** With an encrypting codec everything works as without, and what an app says stands in no history as plain text. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { z } from 'zod';
import { createBuilder } from '../../examples/import-and-build/agent.ts';
import { sessionFolder } from '../../examples/import-and-build/load-data.ts';
import { OutliveClient, type EventItem, type SessionHandle } from '../../src/client/index.ts';
import { defineTask, defineTool } from '../../src/define.ts';
import { InvalidInput, RunFailed } from '../../src/errors.ts';
import { AesCodec, ENCRYPTED } from '../support/aes-codec.ts';
import { agentAt } from '../support/app.ts';
import { executionsOf, type HistoryEvent } from '../support/histories.ts';
import { allEvents, atRest, eventually, harness, text, types, uniqueId, type Harness } from '../support/harness.ts';
import { last, ModelServer } from '../support/model-server.ts';
import { replayAll } from '../support/replay.ts';

const MARK = 'Zanzibar';
const codec = new AesCodec();
const dataConverter = { payloadCodecs: [codec] };

const files = mkdtempSync(join(tmpdir(), 'outlive-encryption-'));
const builder = createBuilder({ outDir: files, filesDir: files });

let h: Harness;
let model: ModelServer;
/** Without the key. */
let strange: Client;

/** Runs until it is cancelled. */
const held = defineTask({
  name: 'held',
  run: async (_input, ctx) => {
    ctx.progress({ message: `${MARK} in sight`, checkpoint: { at: MARK } });
    await new Promise((_resolve, reject) => {
      ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
    });
  },
});
const works = defineTask({
  name: 'works',
  retries: 0,
  run: async (input: { fails?: boolean; text: string }, ctx) => {
    ctx.progress({ message: `${MARK} at work`, data: { place: MARK } });
    await ctx.milestone(`${MARK}-reached`, { place: MARK });
    if (input.fails === true) throw new Error(`${MARK} cannot be reached`);
    return { said: input.text };
  },
});
const note = defineTool({
  name: 'note',
  description: `Notes what is said of ${MARK}.`,
  input: z.object({ line: z.string() }),
  execute: ({ line }) => {
    if (line.includes('throw')) throw new Error(`${MARK} is not to be noted`);
    return { noted: `${MARK} ${line}` };
  },
});

beforeAll(async () => {
  h = await harness(uniqueId('q'), dataConverter);
  strange = new Client({ connection: await Connection.connect({ address: h.address }) });
  model = await ModelServer.start((call) => {
    const { role, text: said } = last(call);
    if (role !== 'user' || !said.includes('start')) return `${MARK} answer`;
    return {
      text: `${MARK} thoughts`,
      tools: [
        { name: 'note', input: { line: `${MARK} line` } },
        { name: 'note', input: { line: `${MARK} throw` } },
        {
          name: 'start_run',
          input: { agent: 'works', input: { text: `${MARK} by the model` }, label: `${MARK} label` },
        },
      ],
    };
  });
  const helper = agentAt(model.url, { tools: [note], canStart: ['works'], instructions: `Help in ${MARK}.` });
  await h.work({ agents: [helper, ...builder.agents], tasks: [works, held, ...builder.tasks] });
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await strange.connection.close();
  await model.stop();
  rmSync(files, { recursive: true, force: true });
});

/** What of a history can be read by who has no key: the payloads that are not encrypted, and whether the mark stands anywhere. */
function plain(events: readonly HistoryEvent[]): string[] {
  const found: string[] = [];
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
    const { metadata, data } = value as { metadata?: Record<string, Uint8Array>; data?: unknown };
    if (data instanceof Uint8Array && metadata !== undefined && 'encoding' in metadata) {
      if (Buffer.from(metadata['encoding'] ?? []).toString() !== ENCRYPTED) found.push(path);
      return;
    }
    for (const [key, inner] of Object.entries(value)) walk(inner, `${path}.${key}`);
  };
  for (const event of events) {
    walk(event, '');
    const bytes = Buffer.from(temporal.api.history.v1.HistoryEvent.encode(event).finish());
    if (bytes.includes(MARK)) found.push(JSON.stringify(event));
  }
  return found;
}

async function ofTree(session: SessionHandle): Promise<EventItem[]> {
  const items: EventItem[] = [];
  for await (const item of session.events({ includeRuns: true })) items.push(item);
  return items;
}

function workflowsOf(events: readonly EventItem[]): Set<string> {
  return new Set(
    events.flatMap(({ type, workflowId, runId }) =>
      type === 'run.started' ? [workflowId, `${workflowId}/${runId}`] : [workflowId],
    ),
  );
}

/** Reads all their histories without the key, replays them with it, and answers how many there are. */
async function noneSays(workflows: Iterable<string>): Promise<number> {
  let executions = 0;
  for (const workflowId of workflows) {
    for (const history of await executionsOf(strange, workflowId)) expect(plain(history), workflowId).toEqual([]);
    executions += await replayAll(h.temporal, workflowId, dataConverter);
  }
  return executions;
}

test('S-04 with an encrypting codec a session with runs of tasks and agents works, replays, and no history holds what was said', async () => {
  const session = await h.client.startSession(uniqueId(), {
    title: `${MARK} title`,
    metadata: { place: MARK },
    limits: { historyEvents: 30 },
  });
  await session.submitTurn({ input: `start in ${MARK}`, metadata: { place: MARK } });
  await atRest(session);
  const runs = [
    { agent: 'works', runId: 'task', input: { text: `${MARK} task` } },
    { agent: 'works', runId: 'fails', input: { text: MARK, fails: true } },
    { agent: 'helper', runId: 'agent', input: `start below in ${MARK}` },
  ];
  for (const run of runs) await session.startRun({ ...run, label: `${MARK} label`, metadata: { place: MARK } });
  await session.startRun({ agent: 'held', runId: 'held', input: `${MARK} held`, label: `${MARK} label` });
  await eventually('what its heartbeat says', async () => {
    const seen = await session.run('held').inspect();
    return 'progress' in seen && seen.progress?.message === `${MARK} in sight`;
  });
  await session.messageRun({ runId: 'held', message: `${MARK} message` });
  await session.cancelRun({ runId: 'held', reason: `${MARK} reason` });
  await atRest(session);
  // Nor what is refused: at once, after a look-up, as a signal, as a query.
  await expect(session.submitTurn({ input: MARK, onBusy: MARK as never })).rejects.toThrow(MARK);
  await expect(session.startRun({ agent: MARK, input: 1 })).rejects.toThrow(`got "${MARK}"`);
  await h.temporal.workflow.getHandle(session.sessionId).signal('startRun', { agent: MARK, input: MARK });
  await expect(session.getTranscript({ after: MARK })).rejects.toThrow(`got "${MARK}"`);

  expect(await session.run('task').result()).toEqual({ said: `${MARK} task` });
  expect(await session.run('agent').result()).toBe(`${MARK} answer`);
  await expect(session.run('fails').result()).rejects.toThrow(`${MARK} cannot be reached`);
  await expect(session.run('held').result()).rejects.toBeInstanceOf(RunFailed);
  const { messages } = await session.getTranscript();
  expect(messages.map(text).join()).toContain(`${MARK} answer`);
  await session.resetTurns({ reason: `${MARK} reason` });
  await session.close({ reason: `${MARK} reason` });
  await h.temporal.workflow.getHandle(session.sessionId).result();

  const events = await ofTree(session);
  expect(JSON.stringify(events)).toContain(`${MARK} is not to be noted`);
  const unknown = uniqueId();
  await expect(h.client.startSession(unknown, { agent: MARK })).rejects.toMatchObject({
    type: 'UnknownAgent',
    message: expect.stringContaining(`got "${MARK}"`),
  });
  expect(await noneSays([unknown, ...workflowsOf(events)])).toBeGreaterThan(8);
});

test('S-04 the main job, a file that is loaded while the page is designed, passes with an encrypting codec', async () => {
  const name = `${MARK}.csv`;
  const rows = Array.from({ length: 300 }, (_, i) => `${MARK} ${['oak', 'beech', 'birch'][i % 3]};${(i % 40) + 3}`);
  writeFileSync(join(files, name), ['species;fruits', ...rows].join('\n'));
  const session = await h.client.startSession(uniqueId(), { agent: 'builder' });
  await session.submitTurn({ input: `Load ${name} and build me a dashboard.` });
  await atRest(session);
  const page = readFileSync(join(files, sessionFolder(session.sessionId), 'dashboard.html'), 'utf8');
  expect(page).toContain(`${MARK} oak`);
  expect(page).toContain('300');
  await session.close();
  await h.temporal.workflow.getHandle(session.sessionId).result();
  expect(await noneSays(workflowsOf(await ofTree(session)))).toBe(2);
});

test('S-04 what is sent without the key, or with another one, is refused or read as what it is, and the session lives', async () => {
  const session = await h.client.startSession(uniqueId());
  await session.submitTurn({ input: 'hello' });
  await atRest(session);
  const { connection } = strange;
  const other = new Client({ connection, dataConverter: { payloadCodecs: [new AesCodec()] } });
  await other.workflow.getHandle(session.sessionId).signal('submitTurn', { input: 'with another key' });
  await expect(new OutliveClient(other).session(session.sessionId).submitTurn({ input: 'hello' })).rejects.toThrow();
  await strange.workflow.getHandle(session.sessionId).signal('submitTurn', { input: 'plain' });
  await atRest(session);
  const events = await allEvents(session);
  expect(events.filter(({ type }) => type === 'input.refused')).toMatchObject([
    { name: 'submitTurn', message: expect.stringContaining('cannot be read') },
  ]);
  expect(types(events).filter((type) => type === 'turn.completed')).toHaveLength(2);
  await expect(session.submitTurn({ input: 1 as never })).rejects.toBeInstanceOf(InvalidInput);
});
