/**
 * The thin shell around the domain: it turns messages, activity results, child results and one timer into domain inputs and
 * hands the effects that come back to `Effects`. Nothing here decides.
 *
 * Messages take effect in the order they came, also when one needs a look-up of a name first: `inbox` holds the later ones.
 */
import { CancellationScope, sleep, workflowInfo } from '@temporalio/workflow';
import { advance, stepInFlight } from '../src/domain/advance.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { MIB } from '../src/domain/state/sizes.ts';
import { LogSize } from '../src/domain/carry/log-size.ts';
import { isOver, type Cx, type NameFacts, type State } from '../src/domain/state/state.ts';
import { archive } from './archive.ts';
import { Deadline } from './deadline.ts';
import { perform } from './effects.ts';
import { untilDone } from './proxies.ts';

interface Waiting {
  names: readonly string[];
  run: () => void;
}

export class Conversation {
  readonly state: State;
  /** Starting nothing that would be in flight, because the workflow is about to continue as new. */
  holding = false;
  /** Aborting what is in flight for the same reason. */
  aborting = false;
  /** Steps and tasks under way. A run that ends does not wait for a task that ignores its cancellation. */
  stepsInFlight = 0;
  /** Everything else under way: signals, starts, look-ups. */
  errands = 0;
  /** Signals of this execution: the server does not count them for its suggestion. */
  signals = 0;
  /** Accepted updates of this execution, of which the server takes 2,000. */
  private updates = 0;
  readonly steps = new Set<CancellationScope>();
  private readonly hooks = new Set<CancellationScope>();
  private readonly inbox: Waiting[] = [];
  private ready = false;
  private looking = false;
  private tidying = false;
  private readonly logSize = new LogSize();
  private outgoing = { task: 0, bytes: 0 };
  private line: Promise<void> = Promise.resolve();
  private waiting = 0;
  /** Deadlines up to here have passed. */
  private due = 0;
  private readonly deadline = new Deadline((due) => {
    this.due = Math.max(this.due, due);
    this.dispatch(() => undefined);
  });

  constructor(state: State) {
    this.state = state;
  }

  /** Decides one input now and does what comes of it. */
  dispatch<T>(decide: (cx: Cx) => T): T {
    const cx: Cx = {
      state: this.state,
      now: Math.max(Date.now(), this.due),
      due: this.due,
      effects: [],
      hold: this.holds,
    };
    const answer = decide(cx);
    advance(cx, this.holds);
    for (const effect of cx.effects) perform(this, effect);
    this.tidy();
    return answer;
  }

  /** Nothing that would be in flight is started. */
  get holds(): boolean {
    return this.holding || (this.wantsToContinue() && !stepInFlight(this.state));
  }

  /** True once only the end of the execution is missing: a run's outcome is recorded, a session has nothing left to do. */
  get ended(): boolean {
    return isOver(this.state) || this.state.closing?.ready === true;
  }

  /** What is done once for all that a task brings. */
  private tidy(): void {
    if (this.tidying) return;
    this.tidying = true;
    void Promise.resolve().then(() => {
      this.tidying = false;
      this.deadline.arm(this.state);
      this.shorten();
    });
  }

  /** A log that has grown too long goes into the archive but for its end. */
  private shorten(): void {
    const leaving = this.logSize.surplus(this.state);
    if (leaving.length === 0 || !this.takes(jsonBytes(leaving))) return;
    archive(leaving);
    this.state.log.splice(0, leaving.length);
    this.logSize.left(leaving);
  }

  /** Decides an input once every message before it has been, and every name in it has been looked up. */
  async inOrder<T>(names: readonly string[], decide: (cx: Cx) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.inbox.push({
        names,
        run: () => {
          try {
            resolve(this.dispatch(decide));
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        },
      });
      this.drain();
    });
  }

  /** From here on messages take effect. */
  open(): void {
    this.ready = true;
    this.dispatch(() => undefined);
    this.drain();
  }

  /** Messages have come that have not taken effect yet. */
  get undecided(): boolean {
    return this.inbox.length > 0;
  }

  /** Takes back that the next execution is to take over. */
  goOn(): void {
    this.holding = false;
    this.aborting = false;
    this.dispatch(() => undefined);
  }

  /** No errand, look-up or message under way: the execution may end. */
  get mayEnd(): boolean {
    return this.errands === 0 && !this.undecided;
  }

  /** Nothing at all under way that the next execution would not know of. */
  get idle(): boolean {
    return this.mayEnd && this.stepsInFlight === 0;
  }

  private drain(): void {
    while (this.ready && !this.looking) {
      const [first] = this.inbox;
      if (first === undefined) return;
      const unknown = first.names.filter((name) => !Object.hasOwn(this.state.names, name));
      if (unknown.length > 0) {
        this.looking = true;
        void CancellationScope.nonCancellable(async () => this.lookUp(unknown, first));
        return;
      }
      this.inbox.shift();
      first.run();
    }
  }

  private async lookUp(names: readonly string[], waiting: Waiting): Promise<void> {
    const found = await Promise.all(
      [...new Set(names)].map(async (name) => untilDone(`name: ${name}`).resolveName({ name })),
    );
    for (const { name, facts } of found) if (facts !== null) this.state.names[name] = facts;
    // Others may have been forgotten meanwhile, and are looked up in their turn.
    waiting.names = waiting.names.filter((name) => !names.includes(name));
    this.looking = false;
    this.drain();
  }

  /** Waits for the answer to which agent this is; `null` facts mean that the worker does not know it. */
  async resolveAgent(name: string | undefined): Promise<{ name: string; facts: NameFacts | null; known: string[] }> {
    return untilDone(name === undefined ? 'the first agent' : `name: ${name}`).resolveName(
      name === undefined ? {} : { name },
    );
  }

  /**
   * Waits until the present workflow task has room for so many bytes that go out. gRPC carries 4 MiB, and a task that brings more is
   * never taken. In the order of asking; the time of a task is its own, in a replay too.
   */
  async room(bytes: number): Promise<void> {
    if (this.waiting === 0 && this.takes(bytes)) return;
    this.waiting += 1;
    const before = this.line;
    this.line = (async () => {
      await before;
      while (!this.takes(bytes)) await sleep(1, { summary: 'room in the next task' });
      this.waiting -= 1;
    })();
    await this.line;
  }

  /** True when the present task has room for so many bytes more, which it then has no longer. */
  takes(bytes: number): boolean {
    const task = Date.now();
    if (this.outgoing.task !== task) this.outgoing = { task, bytes: 0 };
    if (this.outgoing.bytes > 0 && this.outgoing.bytes + bytes > MOST_OUTGOING) return false;
    this.outgoing.bytes += bytes;
    return true;
  }

  /** A step's own scope, so that ending the turn aborts it. */
  async step<T>(work: () => Promise<T>): Promise<T> {
    const scope = new CancellationScope();
    this.steps.add(scope);
    try {
      return await scope.run(work);
    } finally {
      this.steps.delete(scope);
    }
  }

  /** A handler's call has a scope of its own, so that continuing as new does not wait for it. */
  async hook<T>(work: () => Promise<T>): Promise<T> {
    const scope = new CancellationScope();
    this.hooks.add(scope);
    try {
      return await scope.run(work);
    } finally {
      this.hooks.delete(scope);
    }
  }

  abortHooks(): void {
    for (const scope of this.hooks) scope.cancel();
  }

  abortSteps(): void {
    for (const scope of this.steps) scope.cancel();
    this.steps.clear();
  }

  countUpdate(): void {
    this.updates += 1;
  }

  /** Only the execution that Temporal was asked to cancel can end as cancelled, so that it does not continue as new. */
  get endsCancelled(): boolean {
    return this.state.closing?.native === true;
  }

  /** True when this execution has grown enough that the next one should take over: between two steps it does. One that ends does not. */
  wantsToContinue(): boolean {
    if (this.endsCancelled || this.ended) return false;
    const { historyLength, continueAsNewSuggested } = workflowInfo();
    const { historyEvents = MOST_EVENTS } = this.state.settings.limits;
    return continueAsNewSuggested || historyLength >= historyEvents || this.mustContinue();
  }

  /** True when it has grown so much that a step in flight is aborted for it. */
  mustContinue(): boolean {
    return this.signals >= MOST_SIGNALS || this.updates >= MOST_UPDATES || workflowInfo().historyLength >= MOST_EVENTS;
  }
}

const MOST_SIGNALS = 8000;
const MOST_UPDATES = 1600;
const MOST_EVENTS = 40_000;
/** Beside it a task may bring a step's tool calls, and answers of updates. */
const MOST_OUTGOING = 2 * MIB;
