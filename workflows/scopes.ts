/**
 * What is under way, and how it is called off.
 *
 * Everything runs shielded from Temporal's cancellation, which is an input of the domain like any other. Steps and calls of
 * handlers have scopes of their own inside, because those end with their turn, or for the next execution.
 */
import { CancellationScope } from '@temporalio/workflow';

export class Scopes {
  /** Model calls, tools and tasks under way. A run that ends does not wait for a task that ignores its cancellation. */
  steps = 0;
  /** Everything else that an end would cut off: signals, starts, look-ups. */
  errands = 0;
  private readonly shield = new CancellationScope({ cancellable: false });
  private readonly stepScopes = new Set<CancellationScope>();
  private readonly handlerScopes = new Set<CancellationScope>();

  /** Runs something behind the shield; at once when that is where it is called from. */
  shielded(work: () => void): void {
    if (CancellationScope.current() === this.shield) work();
    else void this.shield.run(work as () => Promise<void>);
  }

  /** The main line of the workflow, behind the shield. */
  async main<T>(work: () => Promise<T>): Promise<T> {
    return this.shield.run(work);
  }

  /** Counts something as under way until it is done. What it throws is a bug of ours, and fails the workflow task. */
  track(counter: 'steps' | 'errands', work: Promise<unknown>): void {
    this[counter] += 1;
    void work.then(() => {
      this[counter] -= 1;
    });
  }

  /** Runs something that can be called off: a step ends with its turn, and the next execution does not wait for a handler. */
  async within<T>(kind: 'step' | 'handler', work: () => Promise<T>): Promise<T> {
    const scopes = kind === 'step' ? this.stepScopes : this.handlerScopes;
    const scope = new CancellationScope();
    scopes.add(scope);
    try {
      return await scope.run(work);
    } finally {
      scopes.delete(scope);
    }
  }

  abortSteps(): void {
    abort(this.stepScopes);
  }

  /** Calls of handlers are under way. */
  get hasHandlers(): boolean {
    return this.handlerScopes.size > 0;
  }

  abortHandlers(): void {
    abort(this.handlerScopes);
  }
}

function abort(scopes: Set<CancellationScope>): void {
  for (const scope of scopes) scope.cancel();
  scopes.clear();
}
