/**
 * The thin shell around the domain: it turns messages, activity results, child results and one timer into domain inputs and
 * hands the effects that come back to `Effects`. Nothing here decides.
 *
 * Messages take effect in the order they came, also when one needs a look-up of a name first: `inbox` holds the later ones.
 */
import { CancellationScope, setCurrentDetails, sleep, workflowInfo } from '@temporalio/workflow';
import { advance, stepInFlight } from '../src/domain/advance.ts';
import { sessionDetails } from '../src/domain/view/details.ts';
import { MIB } from '../src/domain/state/sizes.ts';
import type { Cx, NameFacts, State } from '../src/domain/state/state.ts';
import { rowView, sessionView } from '../src/domain/view/queries.ts';
import { activations } from './activations.ts';
import { Deadline } from './deadline.ts';
import { perform } from './effects.ts';
import { sure } from './proxies.ts';

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
  private updatedAt = -1;
  /** Set when the run's outcome or the session's end is recorded. */
  ended = false;
  readonly steps = new Set<CancellationScope>();
  private readonly hooks = new Set<CancellationScope>();
  private readonly inbox: Waiting[] = [];
  private ready = false;
  private looking = false;
  private describing = false;
  private outgoing = { task: 0, bytes: 0 };
  private line: Promise<void> = Promise.resolve();
  private waiting = 0;
  private historyLength = 0;
  private suggested = false;
  /** Deadlines up to here have passed. */
  private due = 0;
  private readonly deadline = new Deadline((due) => {
    this.measure();
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
    this.deadline.arm(this.state);
    this.describe();
    return answer;
  }

  /** Nothing that would be in flight is started. */
  get holds(): boolean {
    return this.holding || (this.wantsToContinue() && !stepInFlight(this.state));
  }

  /** The page about the session, made once for all that a task brings: a backlog of thousands must not wait for a page each. */
  private describe(): void {
    if (this.describing) return;
    this.describing = true;
    void Promise.resolve().then(() => {
      this.describing = false;
      setCurrentDetails(
        sessionDetails(
          sessionView(this.state),
          this.state.runs.slice(-MOST_DETAILED).map((row) => rowView(row, false)),
        ),
      );
    });
  }

  /** Decides an input once every message before it has been, and every name in it has been looked up. */
  async inOrder<T>(names: readonly string[], decide: (cx: Cx) => T): Promise<T> {
    this.measure();
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
      [...new Set(names)].map(async (name) => sure(`name: ${name}`).resolveName({ name })),
    );
    for (const { name, facts } of found) if (facts !== null) this.state.names[name] = facts;
    // Others may have been forgotten meanwhile, and are looked up in their turn.
    waiting.names = waiting.names.filter((name) => !names.includes(name));
    this.looking = false;
    this.drain();
  }

  /** Waits for the answer to which agent this is; `null` facts mean that the worker does not know it. */
  async resolveAgent(name: string | undefined): Promise<{ name: string; facts: NameFacts | null; known: string[] }> {
    return sure(name === undefined ? 'the first agent' : `name: ${name}`).resolveName(
      name === undefined ? {} : { name },
    );
  }

  /**
   * Waits until the present workflow task has room for so many bytes that go out. gRPC carries 4 MiB, and a task that brings more is
   * never taken. In the order of asking; the time of a task is its own, in a replay too.
   */
  async room(bytes: number): Promise<void> {
    if (this.waiting === 0 && this.fits(bytes)) return;
    this.waiting += 1;
    const before = this.line;
    this.line = (async () => {
      await before;
      while (!this.fits(bytes)) await sleep(1, { summary: 'room in the next task' });
      this.waiting -= 1;
    })();
    await this.line;
  }

  private fits(bytes: number): boolean {
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
      this.measure();
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
      this.measure();
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
    this.updatedAt = activations();
  }

  /**
   * True when the present activation has brought an update. Should the execution end in the same task and something have come
   * meanwhile, the server would reject the task and with it the update's answer.
   */
  get updatedInThisActivation(): boolean {
    return this.updatedAt === activations();
  }

  /**
   * Looks how long the history is: where a message, a step's end or a timer begins a task, since where a local activity's answer
   * comes the length is another in a replay.
   */
  private measure(): void {
    ({ historyLength: this.historyLength, continueAsNewSuggested: this.suggested } = workflowInfo());
  }

  /** Only the execution that Temporal was asked to cancel can end as cancelled, so that it does not continue as new. */
  get endsCancelled(): boolean {
    return this.state.closing?.native === true;
  }

  /** True when this execution has grown enough that the next one should take over: between two steps it does. */
  wantsToContinue(): boolean {
    if (this.endsCancelled) return false;
    const { historyEvents } = this.state.settings.limits;
    return (
      this.suggested ||
      this.signals >= MOST_SIGNALS ||
      this.updates >= MOST_UPDATES ||
      this.historyLength >= (historyEvents ?? MOST_EVENTS)
    );
  }

  /** True when it has grown so much that a step in flight is aborted for it. */
  mustContinue(): boolean {
    return this.signals >= MOST_SIGNALS || this.updates >= MOST_UPDATES || this.historyLength >= MOST_EVENTS;
  }
}

/** Rows that the page of details may show. */
const MOST_DETAILED = 200;
const MOST_SIGNALS = 8000;
const MOST_UPDATES = 1600;
const MOST_EVENTS = 40_000;
/** Beside it a task may bring a step's tool calls, and answers of updates. */
const MOST_OUTGOING = 2 * MIB;
