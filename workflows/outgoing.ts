/**
 * What one workflow task may bring to the server: gRPC carries 4 MiB, and a task that brings more is never taken. Whatever is large
 * asks here first, and waits for the next task when this one is full.
 */
import { sleep } from '@temporalio/workflow';
import { atHome } from './here.ts';
import { MIB } from '../src/domain/state/sizes.ts';

/** Beside it a task may bring a step's tool calls, and answers of updates. */
const MOST_BYTES = 2 * MIB;

export class Outgoing {
  private task = 0;
  private bytes = 0;
  private line: Promise<void> | undefined;
  private waiting = 0;

  /** True when the present task has room for so many bytes more, which it then has no longer. Its time is its own, in a replay too. */
  takes(bytes: number): boolean {
    const task = Date.now();
    if (this.task !== task) {
      this.task = task;
      this.bytes = 0;
    }
    if (this.bytes > 0 && this.bytes + bytes > MOST_BYTES) return false;
    this.bytes += bytes;
    return true;
  }

  /** Nothing when there is room for so many bytes now, else what to wait for: in the order of asking. */
  admit(bytes: number): Promise<void> | undefined {
    if (this.waiting === 0 && this.takes(bytes)) return undefined;
    this.waiting += 1;
    this.line = this.waitInLine(this.line, bytes);
    return this.line;
  }

  private async waitInLine(before: Promise<void> | undefined, bytes: number): Promise<void> {
    await before;
    while (!this.takes(bytes)) await nextTask();
    this.waiting -= 1;
  }
}

/** A timer this short only starts the next workflow task. */
export async function nextTask(): Promise<void> {
  await atHome(async () => sleep(1, { summary: 'room in the next task' }));
}
