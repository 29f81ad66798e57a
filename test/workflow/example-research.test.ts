/** The research example: three investigations in the background, one approval, the answers merged; a worker that stops meanwhile. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createResearch } from '../../examples/research/agents.ts';
import type { SessionHandle } from '../../src/client/index.ts';
import { defineConfig } from '../../src/define.ts';
import { atRest, eventually, harness, text, uniqueId, type Harness } from '../support/harness.ts';

let h: Harness;
let outDir: string;
const config = () => defineConfig(createResearch({ libraryDir: join(import.meta.dirname, '../../docs'), outDir }));

beforeAll(async () => {
  h = await harness();
  outDir = await mkdtemp(join(tmpdir(), 'outlive-research-'));
});

afterAll(async () => {
  await h[Symbol.asyncDispose]();
  await rm(outDir, { recursive: true, force: true });
});

async function asked(session: SessionHandle): Promise<string> {
  await session.submitTurn({ input: 'What holds when a worker dies?' });
  return eventually('the approval', async () => (await session.getSession()).requests[0]?.requestId);
}

test('three investigations run in the background, their findings are merged, and published once a person has said yes', async () => {
  const worker = await h.work(config());
  const session = await h.client.startSession(uniqueId());
  const requestId = await asked(session);
  const { runs } = await session.listRuns();
  expect(runs.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
  const events = (await session.getEvents({ types: ['run.started', 'run.settled'] })).events.map(({ type }) => type);
  expect(events.slice(0, 3)).toEqual(['run.started', 'run.started', 'run.started']);
  await worker.stop();
  await h.work(config());
  await session.answer({ requestId, decision: 'approve', by: 'anna' });
  await atRest(session);
  const { messages } = await session.getTranscript();
  const file = /published in (\S+)\.$/u.exec(messages.map(text).at(-1) ?? '')?.[1] ?? '';
  const page = await readFile(file, 'utf8');
  expect(page).toMatch(/^# What holds when a worker dies\n/u);
  expect(page.match(/^- .+\.md: .+\)$/gmu)).toHaveLength(3);
  await session.close();
});

test('without a yes nothing is published, and the agent says why', async () => {
  await using own = await harness();
  await own.work(config());
  const session = await own.client.startSession(uniqueId());
  await session.answer({ requestId: await asked(session), decision: 'reject', by: 'ben', comment: 'too thin' });
  await atRest(session);
  const said = (await session.getTranscript()).messages.map(text).at(-1);
  expect(said).toMatch(/not published.*rejected by ben.*too thin/u);
  await session.close();
});
