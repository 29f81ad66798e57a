/**
 * One timer, over the nearest deadline of the state; armed anew whenever that changes. What time it is when it fires says a local
 * activity, whose answer the history keeps: see docs/design.md, "Time".
 */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { nextDeadline } from '../src/domain/deadlines.ts';
import type { State } from '../src/domain/state.ts';
import { local } from './proxies.ts';

export class Deadline {
  private at: number | undefined;
  private scope: CancellationScope | undefined;
  private readonly passed: (due: number) => void;
  private readonly fires: (work: () => Promise<void>) => void;

  /** `fires` runs what happens when the timer fires, as work under way; `passed` hears up to when deadlines have passed. */
  constructor(fires: (work: () => Promise<void>) => void, passed: (due: number) => void) {
    this.fires = fires;
    this.passed = passed;
  }

  arm(state: State): void {
    const next = nextDeadline(state);
    // A timer that comes early for a deadline that has moved away costs less than cancelling and starting one each time.
    if (next === undefined || (this.at !== undefined && this.at <= next.at)) return;
    this.scope?.cancel();
    this.at = next.at;
    const scope = new CancellationScope();
    this.scope = scope;
    void CancellationScope.nonCancellable(async () => this.wait(scope, next.at, next.what));
  }

  private async wait(scope: CancellationScope, at: number, what: string): Promise<void> {
    try {
      await scope.run(async () => sleep(Math.max(1, at - Date.now()), { summary: what.slice(0, 200) }));
    } catch (error) {
      if (isCancellation(error)) return;
      throw error;
    }
    if (this.scope !== scope) return;
    this.fires(async () => {
      const due = Math.max(at, await local.clock());
      if (this.scope === scope) {
        this.at = undefined;
        this.scope = undefined;
      }
      this.passed(due);
    });
  }
}
