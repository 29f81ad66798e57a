/** Sessions outlive deployments: every history that was ever kept replays with the code of today. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { emptyTasks, replay } from '../support/replay.ts';

const folder = join(import.meta.dirname, 'histories');
const histories = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.json'))
  .toSorted();

test('X-07 histories of every behaviour are kept', () => {
  expect(histories.length).toBeGreaterThan(10);
});

interface Kept {
  events: Record<string, Record<string, unknown>>[];
}

function read(file: string): Kept {
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as Kept;
}

async function replayKept(history: Kept): Promise<void> {
  await replay(history, String(history.events[0]?.['workflowExecutionStartedEventAttributes']?.['workflowId']));
}

test.each(histories)('X-07 %s replays', async (file) => {
  const history = read(file);
  expect(emptyTasks(history.events)).toEqual([]);
  await replayKept(history);
});

test('X-07 a history that the code does not fit is found out', async () => {
  const history = read(histories.find((file) => file.includes('turn-with-tools')) ?? '');
  for (const event of history.events) {
    const scheduled = event['activityTaskScheduledEventAttributes'];
    if (scheduled !== undefined) scheduled['activityType'] = { name: 'another' };
  }
  await expect(replayKept(history)).rejects.toThrow();
});
