/**
 * Messages take effect in the order they came, also when one names an agent or task that has to be looked up first: the later
 * ones wait for it.
 */
import type { State } from '../src/domain/state/state.ts';

interface Waiting {
  names: readonly string[];
  take: () => void;
}

export class Inbox {
  private readonly waiting: Waiting[] = [];
  private isOpen = false;
  private isLooking = false;
  private readonly state: Pick<State, 'names'>;
  private readonly lookUp: (names: readonly string[], then: () => void) => void;

  /** `lookUp` puts what it finds into the state, and goes on then whether it has found anything or not. */
  constructor(state: Pick<State, 'names'>, lookUp: (names: readonly string[], then: () => void) => void) {
    this.state = state;
    this.lookUp = lookUp;
  }

  /** Takes a message once every one before it has been, and every name in it has been looked up. */
  add(names: readonly string[], take: () => void): void {
    this.waiting.push({ names, take });
    this.drain();
  }

  /** From here on messages take effect. */
  open(): void {
    this.isOpen = true;
    this.drain();
  }

  /** No message has come that has not taken effect yet. */
  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** Messages take effect, and none waits to. */
  get isAtRest(): boolean {
    return this.isOpen && this.isEmpty;
  }

  private drain(): void {
    while (this.isOpen && !this.isLooking) {
      const [first] = this.waiting;
      if (first === undefined) return;
      const unknown = first.names.filter((name) => !Object.hasOwn(this.state.names, name));
      if (unknown.length > 0) {
        this.isLooking = true;
        this.lookUp([...new Set(unknown)], () => {
          // Others may have been forgotten meanwhile, and are looked up in their turn.
          first.names = first.names.filter((name) => !unknown.includes(name));
          this.isLooking = false;
          this.drain();
        });
        return;
      }
      this.waiting.shift();
      first.take();
    }
  }
}
