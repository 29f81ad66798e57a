/** A stand-in for the runtime: contexts for a task and a tool that keep what they are told, and folders that go away. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { OutliveClient } from '../../src/client/index.ts';
import type { Json } from '../../src/contract.ts';
import type { ProgressReport, TaskContext, ToolContext } from '../../src/define.ts';

export interface RecordedContext extends TaskContext {
  reports: ProgressReport[];
  milestones: { name: string; data?: Json | undefined }[];
}

/** Connects when it is used, which nothing here does. */
const client = new OutliveClient(new Client());

export function taskContext(
  given: Partial<TaskContext> & { onProgress?: (report: ProgressReport) => void } = {},
): RecordedContext {
  const { onProgress, ...rest } = given;
  const context: RecordedContext = {
    runId: 'r-1',
    workflowId: 's/r-1',
    sessionId: 's',
    attempt: 1,
    checkpoint: undefined,
    signal: new AbortController().signal,
    client,
    messages: nothing(),
    reports: [],
    milestones: [],
    progress(report) {
      context.reports.push(report);
      onProgress?.(report);
    },
    milestone: async (name, data) => {
      context.milestones.push({ name, data });
      await Promise.resolve();
    },
    ...rest,
  };
  return context;
}

export const toolContext: ToolContext = {
  sessionId: 's',
  workflowId: 's',
  turnId: 't-1',
  toolCallId: 'c-1',
  attempt: 1,
  signal: new AbortController().signal,
  client,
};

/** A new folder; it goes away when the block ends. */
export function folder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'example-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

async function* nothing(): AsyncGenerator<never> {}
