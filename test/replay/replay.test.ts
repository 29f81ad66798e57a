/** Sessions outlive deployments: every history that was ever kept replays with the code of today. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';

try {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
} catch {
  // Installed by another file of this process.
}

const folder = join(import.meta.dirname, 'histories');
const histories = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json')).toSorted();
const converter = join(import.meta.dirname, '../../src/payload-converter.ts');

test('X-07 histories of every behaviour are kept', () => {
  expect(histories.length).toBeGreaterThan(10);
});

interface Kept { events: Record<string, Record<string, unknown>>[] }

function read(file: string): Kept {
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as Kept;
}

/** Ids of runs are made from the workflow's own id, so a replay needs the real one. */
async function replay(history: Kept): Promise<void> {
  const workflowId = history.events[0]?.['workflowExecutionStartedEventAttributes']?.['workflowId'];
  const code = readFileSync(inject('bundlePath'), 'utf8');
  await Worker.runReplayHistory({ workflowBundle: { code }, dataConverter: { payloadConverterPath: converter } }, history, String(workflowId));
}

test.each(histories)('X-07 %s replays', async (file) => {
  await replay(read(file));
});

test('X-07 a history that the code does not fit is found out', async () => {
  const history = read(histories.find((file) => file.includes('turn-with-tools')) ?? '');
  for (const event of history.events) {
    const scheduled = event['activityTaskScheduledEventAttributes'];
    if (scheduled !== undefined) scheduled['activityType'] = { name: 'another' };
  }
  await expect(replay(history)).rejects.toThrow();
});
