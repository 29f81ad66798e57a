/**
 * The thin shell around the domain, of a session and of a run alike: it turns messages, activity results, child results and one timer
 * into domain inputs and has the effects that come back performed. Nothing here decides.
 *
 * A rule that throws fails the workflow task, and with it everything that the task has changed: it is taken again, from the history, by a
 * worker that may know better. So an error of ours loses no message and takes none by half.
 */
import { advance, stepInFlight } from '../src/domain/advance.ts';
import type { StartRun } from '../src/domain/run/admission.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import type { Misfit } from '../src/domain/state/types.ts';
import { LogSize, parts } from '../src/domain/carry/log-size.ts';
import { isOver, type Cx, type State } from '../src/domain/state/state.ts';
import { archive } from './archive.ts';
import { Deadline } from './deadline.ts';
import { perform } from './effects.ts';
import { Growth } from './growth.ts';
import { isHere } from './here.ts';
import { Inbox } from './inbox.ts';
import { checkInputs, lookUpNames } from './names.ts';
import { nextTask, Outgoing } from './outgoing.ts';
import { Scopes } from './scopes.ts';
import type { Stage } from './stage.ts';

export class Shell implements Stage {
  readonly state: State;
  readonly scopes = new Scopes();
  readonly outgoing = new Outgoing();
  readonly growth = new Growth();
  readonly inbox: Inbox;
  isHandingOver = false;
  isAborting = false;
  /** What it was started with cannot be: it fails before it takes anything. */
  isRefused = false;
  /** Parts of the log on their way into the archive. */
  archiving = 0;
  private isTidying = false;
  private readonly logSize = new LogSize();
  /** Deadlines up to here have passed. */
  private due = 0;
  private readonly deadline = new Deadline((due) => {
    this.due = Math.max(this.due, due);
    this.dispatch(() => undefined);
  });

  constructor(state: State) {
    this.state = state;
    this.inbox = new Inbox(state, {
      lookUp: (names, then) => this.errand(async () => lookUpNames(state, names).then(then)),
      check: (requests, then) => this.errand(async () => this.checked(requests).then(then)),
      isInAHurry: () => this.isHandingOver,
    });
  }

  dispatch<T>(decide: (cx: Cx) => T): T {
    this.growth.look();
    const now = Math.max(Date.now(), this.due);
    const cx: Cx = { state: this.state, now, due: this.due, effects: [], hold: this.holds };
    const answer = decide(cx);
    advance(cx, this.holds);
    if (!isHere()) return answer;
    // Most of thousands of messages ask for nothing, and entering the shield has its price.
    if (cx.effects.length > 0 || !this.isTidying)
      this.scopes.shielded(() => {
        for (const effect of cx.effects) perform(this, effect);
        this.tidy();
      });
    return answer;
  }

  afterMessages(then: () => void): void {
    this.inbox.add([], then);
  }

  private errand(work: () => Promise<void>): void {
    this.scopes.shielded(() => this.scopes.track('errands', work()));
  }

  private async checked(requests: readonly StartRun[]): Promise<(Misfit | null)[]> {
    const room = this.outgoing.admit(requests.reduce((sum, { input }) => sum + jsonBytes(input), 0));
    if (room !== undefined) await room;
    return checkInputs(requests);
  }

  /** From here on messages take effect. */
  open(): void {
    this.dispatch(() => undefined);
    this.inbox.open();
  }

  /** Nothing that would be in flight is started. */
  get holds(): boolean {
    return this.isHandingOver || (this.wantsToContinue() && !stepInFlight(this.state));
  }

  /** True once only the end of the execution is missing: a run's outcome is recorded, a session has nothing left to do. */
  get hasEnded(): boolean {
    return isOver(this.state) || this.state.closing?.stage.is === 'ready';
  }

  /** No errand, look-up or message under way: the execution may end. */
  get mayEnd(): boolean {
    return this.scopes.errands === 0 && this.inbox.isEmpty;
  }

  /** Nothing at all under way that the next execution would not know of. */
  get isIdle(): boolean {
    return this.mayEnd && this.scopes.steps === 0;
  }

  /** Only the execution that Temporal was asked to cancel can end as cancelled, so that it does not continue as new. */
  get endsCancelled(): boolean {
    return this.state.closing?.cancelledInTemporal === true;
  }

  /**
   * True when this execution has grown enough that the next one should take over: between two steps it does. One that ends does not, and
   * one whose archive is on its way waits for that as long as it may: an event that comes meanwhile makes the server refuse the handing over.
   */
  wantsToContinue(): boolean {
    if (this.endsCancelled || this.hasEnded || (this.archiving > 0 && !this.growth.mustAtOnce())) return false;
    return this.growth.wants(this.state.settings.limits.historyEvents);
  }

  /** Takes back that the next execution is to take over. */
  resume(): void {
    this.isHandingOver = false;
    this.isAborting = false;
    this.dispatch(() => undefined);
  }

  /** What is done once for all that a task brings. */
  private tidy(): void {
    if (this.isTidying) return;
    this.isTidying = true;
    void Promise.resolve().then(() => {
      this.isTidying = false;
      if (!isHere()) return;
      this.deadline.arm(this.state);
      if (!this.shorten()) return;
      this.isTidying = true;
      void nextTask().then(() => {
        this.isTidying = false;
        this.tidy();
      });
    });
  }

  /** A log that has grown too long goes into the archive but for its end; true when this task has no room for all of it. */
  shorten(): boolean {
    for (const part of parts(this.logSize.surplus(this.state))) {
      if (!this.outgoing.takes(jsonBytes(part))) return true;
      this.archiving += 1;
      void archive(part).finally(() => (this.archiving -= 1));
      this.state.log.splice(0, part.length);
      this.logSize.left(part);
    }
    return false;
  }
}
