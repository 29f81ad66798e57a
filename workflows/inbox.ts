/**
 * Messages take effect in the order they came, also when one names an agent or task that has to be looked up first, or brings input that a
 * worker has to check: the later ones wait for it.
 */
import { needsCheck, type Misfits } from '../src/domain/run/fit.ts';
import { namesOf, type StartRun } from '../src/domain/run/admission.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { BATCH_BYTES } from '../src/domain/state/sizes.ts';
import type { State } from '../src/domain/state/state.ts';
import type { Misfit } from '../src/domain/state/types.ts';

/** A run that a message asks for; `at` is where it stands in it. */
export interface AskedRun {
  at: string;
  request: StartRun;
}

/** What only a worker can tell. */
export interface Worker {
  /** Puts what names stand for into the state, and goes on then whether it has found anything or not. */
  lookUp(names: readonly string[], then: () => void): void;
  /** What does not fit of the input of runs, in their order. */
  check(requests: readonly StartRun[], then: (misfits: readonly (Misfit | null)[]) => void): void;
  /** Input is not checked: what waits for a check would be in the way of what comes next. */
  isInAHurry(): boolean;
}

interface Waiting {
  readonly names: readonly string[];
  /** Of these, those that no worker has known. */
  readonly unknown: Set<string>;
  readonly runs: readonly AskedRun[];
  /** Once a worker has been asked, or nobody needs to be. */
  misfits?: Misfits;
  readonly take: (misfits: Misfits) => void;
}

const NONE: Misfits = new Map();

export class Inbox {
  private readonly waiting: Waiting[] = [];
  private isOpen = false;
  private isAsking = false;
  private readonly state: State;
  private readonly worker: Worker;

  constructor(state: State, worker: Worker) {
    this.state = state;
    this.worker = worker;
  }

  /** Takes a message once every one before it has been, and a worker has said what there is to say of the runs that it asks for. */
  add(runs: readonly AskedRun[], take: (misfits: Misfits) => void): void {
    this.waiting.push({ names: runs.flatMap(({ request }) => namesOf(request)), unknown: new Set(), runs, take });
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
    while (this.isOpen && !this.isAsking) {
      const [first] = this.waiting;
      if (first === undefined) return;
      const unknown = this.unknownOf(first);
      if (unknown.length > 0) this.lookUp(first, unknown);
      else if (!this.worker.isInAHurry() && this.toCheck(first).length > 0) this.check();
      else {
        this.waiting.shift();
        first.take(first.misfits ?? NONE);
      }
    }
  }

  /** Names to be looked up: what was known before may have been forgotten since. */
  private unknownOf({ names, unknown }: Waiting): string[] {
    return names.filter((name) => !Object.hasOwn(this.state.names, name) && !unknown.has(name));
  }

  private lookUp(first: Waiting, names: readonly string[]): void {
    this.isAsking = true;
    this.worker.lookUp([...new Set(names)], () => {
      for (const name of names) if (!Object.hasOwn(this.state.names, name)) first.unknown.add(name);
      this.isAsking = false;
      this.drain();
    });
  }

  private toCheck({ runs, misfits }: Waiting): AskedRun[] {
    return misfits === undefined ? runs.filter(({ request }) => needsCheck(this.state, request)) : [];
  }

  /** One question for the first message and for those behind it, so that a flood of them does not wait for one after the other. */
  private check(): void {
    const together: { one: Waiting; asked: AskedRun[] }[] = [];
    let bytes = 0;
    for (const one of this.waiting) {
      const asked = this.unknownOf(one).length > 0 ? [] : this.toCheck(one);
      bytes += asked.reduce((sum, { request }) => sum + jsonBytes(request.input), 0);
      if (together.length > 0 && bytes > BATCH_BYTES) break;
      if (asked.length > 0) together.push({ one, asked });
    }
    this.isAsking = true;
    const all = together.flatMap(({ asked }) => asked.map(({ request }) => request));
    this.worker.check(all, (misfits) => {
      const found = misfits.values();
      for (const { one, asked } of together)
        one.misfits = new Map(
          asked.flatMap(({ at, request }) => {
            const misfit = found.next().value ?? null;
            return misfit === null ? [] : [[request, { ...misfit, at }] as const];
          }),
        );
      this.isAsking = false;
      this.drain();
    });
  }
}
