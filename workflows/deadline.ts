/** One timer, over the nearest deadline of the state or before it; none when nothing is due. */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { nextDeadline } from '../src/domain/deadlines.ts';
import { isOver, type State } from '../src/domain/state/state.ts';

export class Deadline {
  private at: number | undefined;
  private scope: CancellationScope | undefined;
  private readonly passed: (due: number) => void;

  /** `passed` hears up to when deadlines have passed. */
  constructor(passed: (due: number) => void) {
    this.passed = passed;
  }

  arm(state: State): void {
    // What has ended leaves its timer to the end of the execution: cancelling it would cost an event of every run.
    if (isOver(state)) return;
    const next = nextDeadline(state);
    if (next === undefined) {
      // What rests shows no clock of a turn that has ended.
      this.scope?.cancel();
      this.scope = undefined;
      this.at = undefined;
      return;
    }
    // A timer that comes early for a deadline that has moved away costs less than cancelling and starting one each time.
    if (this.at !== undefined && this.at <= next.at) return;
    this.scope?.cancel();
    this.at = next.at;
    const scope = new CancellationScope();
    this.scope = scope;
    const { at, what } = next;
    void scope
      .run(async () => sleep(Math.max(1, at - Date.now()), { summary: what.slice(0, 200) }))
      .then(
        () => this.wake(scope, at),
        (error: unknown) => {
          if (!isCancellation(error)) throw error;
        },
      );
  }

  private wake(scope: CancellationScope, at: number): void {
    if (this.scope !== scope) return;
    this.at = undefined;
    this.scope = undefined;
    this.passed(Math.max(at, Date.now()));
  }
}
