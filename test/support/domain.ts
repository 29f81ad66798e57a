/**
 * A conversation without Temporal: it decides an input as the shell does (decide, advance, collect what is to be done), on a
 * clock that the test moves. What was asked for waits in `asked` until the test answers it.
 */
import { advance, isQuiet } from '../../src/domain/advance.ts';
import { pack, unpack } from '../../src/domain/carry/carry.ts';
import { endSession, runsToldGone } from '../../src/domain/closing.ts';
import { nextDeadline } from '../../src/domain/deadlines.ts';
import { emit } from '../../src/domain/log/events.ts';
import { looked, type Sight } from '../../src/domain/run/looks.ts';
import { runMilestones, runRequest, runSettled } from '../../src/domain/run/from-runs.ts';
import type { RunReceipt, StartRun } from '../../src/domain/run/admission.ts';
import { answerOwn } from '../../src/domain/run/requests.ts';
import { letterSent } from '../../src/domain/run/outbox.ts';
import { startConfirmed, startFailed, startRun, startRuns } from '../../src/domain/run/start.ts';
import { settle, type Settled } from '../../src/domain/run/settle.ts';
import type { RuntimeTool } from '../../src/domain/turn/runtime-tools.ts';
import { settingsOf, type GivenSettings } from '../../src/domain/state/settings.ts';
import type { Effect, EffectOf, Letter } from '../../src/domain/state/effects.ts';
import type { Outcome, RunState } from '../../src/domain/state/row.ts';
import { hasSettled, outcomeOf, type RunSelf } from '../../src/domain/state/self.ts';
import { newState, revived, type Cx, type State, type StateJson } from '../../src/domain/state/state.ts';
import {
  isRefusal,
  type Json,
  type MessagePart,
  type NameFacts,
  type OutliveEvent,
  type Refusal,
  type RequestState,
  type UIMessage,
  type Usage,
} from '../../src/domain/state/types.ts';
import { modelAnswered, modelFailed, type ModelCall, type StepFailure } from '../../src/domain/turn/model-step.ts';
import { toolAnswered, toolFailed, type ToolFailure } from '../../src/domain/turn/tool-calls.ts';
import { submitTurn, type SubmitTurn, type TurnReceipt } from '../../src/domain/turn/submit.ts';

export const START = Date.parse('2030-01-01T00:00:00.000Z');
export const EPOCH = '01990000-0000-7000-8000-000000000001';
export const NAMES: Record<string, NameFacts> = {
  chat: { kind: 'agent' },
  load: { kind: 'task', retries: 2 },
  check: { kind: 'task', retries: 2 },
  'handler:told': { kind: 'handler' },
};

export interface ToolAsk {
  id: string;
  name?: string;
  input?: Json;
  idempotent?: boolean;
  repairs?: boolean;
  approval?: boolean;
  actionKey?: string;
  retries?: number;
  invalid?: string;
}
export interface StartAsk {
  id: string;
  start: Json;
}
export interface RuntimeAsk {
  id: string;
  runtime: RuntimeTool;
  input: Json;
}

export class Driver {
  state: State;
  now = START;
  holding = false;
  /** Runs that are told that their session is gone know it at once, unless the test answers for them. */
  keepsTelling = false;
  /** Effects that wait for their answer. */
  asked: Effect[] = [];
  /** Everything that was ever asked for. */
  readonly did: Effect[] = [];
  /** What has left the state at continue-as-new. */
  archive: OutliveEvent[] = [];

  constructor(state: State) {
    this.state = state;
  }

  static session(given: GivenSettings & { id?: string; epoch?: string } = {}): Driver {
    const id = given.id ?? 's';
    const driver = new Driver(
      newState(
        {
          kind: 'session',
          workflowId: id,
          sessionId: id,
          epoch: given.epoch ?? EPOCH,
          depth: 0,
          agent: 'chat',
          settings: settingsOf('session', given),
        },
        START,
      ),
    );
    driver.state.names = structuredClone(NAMES);
    driver.send((cx) => emit(cx, 'session.started', { agent: 'chat' }));
    return driver;
  }

  static run(kind: 'agent' | 'task', given: GivenSettings & { self?: Partial<RunSelf>; depth?: number } = {}): Driver {
    const self: RunSelf = {
      runId: 'x',
      parent: { workflowId: 's', epoch: 'parent-epoch' },
      input: 'go',
      work: kind === 'task' ? { kind, retries: 2, activity: 'ready', inbox: [] } : { kind },
      end: { is: 'working' },
      onBudget: 'cancel',
      deadline: START + 86_400_000,
      movedAt: START,
      milestones: [],
      told: 0,
      notes: { heard: 0, read: 0, readTold: 0 },
      ...given.self,
    };
    const driver = new Driver(
      newState(
        {
          kind: 'run',
          workflowId: 's/x',
          sessionId: 's',
          epoch: EPOCH,
          depth: given.depth ?? 1,
          agent: kind === 'agent' ? 'chat' : 'load',
          settings: settingsOf('run', given),
          self,
        },
        START,
      ),
    );
    driver.state.names = structuredClone(NAMES);
    if (kind === 'agent') driver.submit('go');
    else driver.send(() => undefined);
    return driver;
  }

  /** Deadlines up to here have passed: as in the shell, only a timer moves it. */
  due = 0;

  /** Decides one input and does what comes of it, as the shell's `dispatch`. */
  send<T>(decide: (cx: Cx) => T): T {
    const cx: Cx = { state: this.state, now: this.now, due: this.due, effects: [], hold: this.holding };
    const answer = decide(cx);
    advance(cx, this.holding);
    for (const effect of cx.effects) {
      this.did.push(effect);
      if (effect.do === 'tell-gone' && !this.keepsTelling) continue;
      if (effect.do === 'abort-step') this.asked = this.asked.filter((one) => one.do !== 'model' && one.do !== 'tool');
      else this.asked.push(effect);
    }
    const next = nextDeadline(this.state)?.at ?? Infinity;
    if (next <= this.now) this.fire(next);
    const stage = this.state.closing?.stage;
    if (stage?.is === 'telling' && stage.underWay && !this.keepsTelling) this.send(runsToldGone);
    if (this.state.kind === 'session' && this.state.closing?.stage.is === 'ready') this.send(endSession);
    return answer;
  }

  /** The timer over the nearest deadline fires. */
  private fire(at: number): void {
    this.due = Math.max(this.due, at);
    this.send(() => undefined);
  }

  /** Lets time pass; deadlines on the way are acted on when they come. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = nextDeadline(this.state);
      if (next === undefined || next.at > until) break;
      this.now = Math.max(this.now, next.at);
      this.fire(next.at);
    }
    this.now = until;
  }

  /** Takes the first effect of a kind that waits for its answer. */
  take<D extends Effect['do']>(kind: D, fits: (effect: EffectOf<D>) => boolean = () => true): EffectOf<D> {
    const found = this.asked.find((effect): effect is EffectOf<D> => effect.do === kind && fits(effect as EffectOf<D>));
    if (found === undefined)
      throw new Error(
        `Expected "${kind}" to be asked for, got ${this.asked.map((one) => one.do).join(', ') || 'nothing'}.`,
      );
    this.asked.splice(this.asked.indexOf(found), 1);
    return found;
  }

  asks(kind: Effect['do']): boolean {
    return this.asked.some((effect) => effect.do === kind);
  }

  /** Takes user input; a refusal fails the test. */
  submit(input: string | UIMessage[], more: Omit<SubmitTurn, 'input'> = {}): TurnReceipt {
    return accepted(
      this.send((cx) => submitTurn(cx, { input: typeof input === 'string' ? user(input) : input, ...more })),
    );
  }

  /** Starts a run; a refusal fails the test. */
  start(more: Partial<StartRun> = {}): RunReceipt {
    return accepted(this.send((cx) => startRun(cx, { agent: 'load', input: null, ...more })));
  }

  startAll(requests: Partial<StartRun>[]): RunReceipt[] {
    return accepted(
      this.send((cx) =>
        startRuns(
          cx,
          requests.map((one) => ({ agent: 'load', input: null, ...one })),
        ),
      ),
    );
  }

  /** Temporal has confirmed every start that is under way. */
  confirm(): void {
    while (this.asks('start')) {
      const { runId } = this.take('start');
      this.send((cx) => startConfirmed(cx, runId, `epoch-of-${runId}`));
    }
  }

  failStart(runId: string, message = 'No worker.'): void {
    this.take('start', (effect) => effect.runId === runId);
    this.send((cx) => startFailed(cx, runId, message));
  }

  /** A run that is confirmed at once. */
  running(runId: string, more: Partial<StartRun> = {}): void {
    this.start({ runId, ...more });
    this.confirm();
  }

  /** The run's own message that it has ended. */
  settled(runId: string, settled: Partial<Settled> = {}, epoch = this.state.epoch): Refusal | undefined {
    return this.send((cx) =>
      runSettled(cx, {
        status: 'completed',
        ...((settled.status ?? 'completed') === 'completed' && settled.resultRef === undefined
          ? { result: { of: runId } }
          : {}),
        ...settled,
        runId,
        epoch,
      }),
    );
  }

  /** Temporal's own word that a run has ended. */
  ended(runId: string, settled: Settled): void {
    this.send((cx) => {
      const row = cx.state.runs.get(runId);
      if (row !== undefined) settle(cx, row, settled);
    });
  }

  /** A look comes back: what it has seen of each run, by default that it lives. */
  glance(...sights: (Partial<Sight> & { runId: string })[]): void {
    const { runs } = this.take('look');
    const asked = runs.map((run) => run.runId);
    this.send((cx) =>
      looked(
        cx,
        asked,
        asked.map((runId) => ({ runId, found: 'open', ...sights.find((one) => one.runId === runId) }) as Sight),
      ),
    );
  }

  /** Takes a letter that waits for its answer. */
  letter<N extends Letter['name']>(name: N): { key: string; letter: Extract<Letter, { name: N }> } {
    const { key, letter } = this.take('tell', (effect) => effect.letter.name === name);
    return { key, letter: letter as Extract<Letter, { name: N }> };
  }

  /** A letter that waits for its answer has arrived, or comes to what is said. */
  arrives<N extends Letter['name']>(
    name: N,
    outcome: 'sent' | 'gone' | 'refused' = 'sent',
  ): Extract<Letter, { name: N }>['message'] {
    const { key, letter } = this.letter(name);
    this.send((cx) => letterSent(cx, key, letter, outcome));
    return letter.message as never;
  }

  /** How this run ends, once that is decided. */
  get outcome(): Outcome | undefined {
    return this.state.self === undefined ? undefined : outcomeOf(this.state.self);
  }

  get hasSettled(): boolean {
    return hasSettled(this.state.self);
  }

  tells(name: Letter['name']): boolean {
    return this.asked.some((effect) => effect.do === 'tell' && effect.letter.name === name);
  }

  /** Lets time pass, with every look on the way seeing the same of a run. */
  watched(ms: number, sight: Partial<Sight> & { runId: string }): void {
    for (let left = ms; left > 0; left -= 1000) {
      this.pass(Math.min(left, 1000));
      while (this.asks('look')) this.glance(sight);
    }
  }

  reached(
    runId: string,
    milestones: [n: number, name: string, data?: Json][],
    epoch = this.state.epoch,
  ): Refusal | undefined {
    return this.send((cx) =>
      runMilestones(cx, {
        runId,
        epoch,
        milestones: milestones.map(([n, name, data]) => ({
          n,
          name,
          at: new Date(this.now).toISOString(),
          ...(data === undefined ? {} : { data }),
        })),
      }),
    );
  }

  /** What a run says of a question, its own or one of a run below it: `s/x#1` is the first one of run `x`. */
  question(
    runId: string,
    { n = 1, below = '', usage, ...given }: Partial<RequestState> & { n?: number; below?: string; usage?: Usage } = {},
  ): Refusal | undefined {
    const workflowId = `${this.state.workflowId}/${runId}${below === '' ? '' : `/${below}`}`;
    const at = new Date(this.now).toISOString();
    const request: RequestState = {
      requestId: `${workflowId}#${n}`,
      kind: 'ask_parent',
      workflowId,
      question: 'Which year?',
      status: 'open',
      openedAt: at,
      expiresAt: at,
      ...given,
    };
    const more = usage === undefined ? {} : { usage };
    return this.send((cx) => runRequest(cx, { runId, epoch: this.state.epoch, request, ...more }));
  }

  /** The model answers the call that waits: a text, or calls of tools. */
  say(
    answer: string | (ToolAsk | StartAsk | RuntimeAsk)[],
    more: { usage?: Usage; canStart?: string[]; wantsResult?: boolean } = {},
  ): void {
    const { turnId, step, attempt } = this.take('model');
    const parts: MessagePart[] = typeof answer === 'string' ? [{ type: 'text', text: answer }] : answer.map(partOf);
    const calls = typeof answer === 'string' ? [] : answer.map(callOf);
    const canStart = Object.fromEntries(
      (more.canStart ?? ['load', 'check']).map((name) => [name, NAMES[name] ?? { kind: 'task' as const }]),
    );
    this.send((cx) =>
      modelAnswered(
        cx,
        { turnId, step, attempt },
        {
          parts,
          calls,
          usage: more.usage ?? usage(1),
          canStart,
          ...(more.wantsResult === undefined ? {} : { wantsResult: more.wantsResult }),
        },
      ),
    );
  }

  /** The model call fails. */
  stumble(failure: Partial<StepFailure> = {}): void {
    const { turnId, step, attempt } = this.take('model');
    this.send((cx) =>
      modelFailed(
        cx,
        { turnId, step, attempt },
        { how: 'failed', error: { type: 'APICallError', message: 'overloaded' }, ...failure },
      ),
    );
  }

  /** A person decides on the first call that waits for that. */
  approve(decision: 'approve' | 'reject' = 'approve'): void {
    const request = this.state.requests.find(({ status, kind }) => status === 'open' && kind === 'approval');
    this.send((cx) => answerOwn(cx, { requestId: request?.requestId ?? '', decision }));
  }

  answerTool(output: Json, toolCallId?: string): void {
    const { turnId, step, call } = this.take(
      'tool',
      (effect) => toolCallId === undefined || effect.call.toolCallId === toolCallId,
    );
    this.send((cx) => toolAnswered(cx, { turnId, step, toolCallId: call.toolCallId, attempt: call.attempt }, output));
  }

  failTool(how: Exclude<ToolFailure['how'], 'unknown'>, message = 'broken'): void {
    const { turnId, step, call } = this.take('tool');
    this.send((cx) =>
      toolFailed(
        cx,
        { turnId, step, toolCallId: call.toolCallId, attempt: call.attempt },
        { how, error: { type: 'Error', message }, isFinal: false },
      ),
    );
  }

  /** Continues as new through JSON, as Temporal would carry it. */
  continueAsNew(): void {
    while (this.asks('look')) this.glance();
    this.holding = true;
    this.send(() => undefined);
    if (!isQuiet(this.state)) throw new Error('Expected nothing to be in flight.');
    const { carried, leaving } = pack({ state: this.state, now: this.now, effects: [] });
    this.archive.push(...leaving);
    this.state = unpack(structuredClone(carried));
    this.holding = false;
    this.send(() => undefined);
  }

  row(runId: string): RunState {
    const row = this.state.runs.get(runId);
    if (row === undefined) throw new Error(`Expected a row of ${runId}, got none.`);
    return row;
  }

  /** All events, the archived ones too. */
  log(): OutliveEvent[] {
    return [...this.archive, ...this.state.log];
  }

  /** What the log tells since a number, one line an event; see `tell`. */
  story(after = 0): string[] {
    return this.log()
      .filter((event) => event.seq > after)
      .map(tell);
  }
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Text that can hardly be deflated, the same for the same seed. */
export function noise(length: number, seed = 1): string {
  let at = seed * 2_654_435_761;
  return Array.from({ length }, () => {
    at = (Math.imul(at, 1_664_525) + 1_013_904_223) >>> 0;
    return LETTERS[at >>> 26];
  }).join('');
}

/** A state of its own that is the same, as the next execution would have it. */
export function copyOf(state: State): State {
  return revived(JSON.parse(JSON.stringify(state)) as StateJson);
}

export function user(text: string): UIMessage[] {
  return [{ id: '', role: 'user', parts: [{ type: 'text', text }] }];
}

export function usage(tokens: number): Usage {
  return { inputTokens: tokens, outputTokens: tokens, totalTokens: 2 * tokens, modelCalls: 1 };
}

export function accepted<T>(answer: T | Refusal): T {
  if (isRefusal(answer)) throw new Error(`Expected it to be accepted, got ${answer.refused}: ${answer.message}`);
  return answer;
}

/** The type of a refusal, or what came in its place. */
export function refusal(answer: unknown): unknown {
  return isRefusal(answer) ? answer.refused : answer;
}

/** One event as a line: type, run, status, code, keys of inputs, kind, turn. */
export function tell(event: OutliveEvent): string {
  const message = event['message'] as UIMessage | undefined;
  const inputs = event['inputs'] as { key?: string }[] | undefined;
  const kind = event.type === 'run.delivered' ? event['kind'] : undefined;
  const words = [
    event.type,
    event.runId,
    event.type === 'run.milestone' ? event['name'] : undefined,
    event['status'],
    event['reason'],
    message?.role,
    message?.metadata?.['hidden'] === true ? 'hidden' : undefined,
    kind,
    inputs === undefined ? undefined : `[${inputs.map((one) => one.key ?? '').join(' ')}]`,
    event.type.startsWith('run.') && event.type !== 'run.delivered' ? undefined : event.turnId,
  ];
  return words.filter((word): word is string => typeof word === 'string').join(' ');
}

function partOf(ask: ToolAsk | StartAsk | RuntimeAsk): MessagePart {
  if ('runtime' in ask)
    return { type: `tool-${ask.runtime}`, toolCallId: ask.id, state: 'input-available', input: ask.input };
  const name = 'start' in ask ? 'start_run' : (ask.name ?? 'tool');
  return {
    type: `tool-${name}`,
    toolCallId: ask.id,
    state: 'input-available',
    input: 'start' in ask ? ask.start : (ask.input ?? {}),
  };
}

function callOf(ask: ToolAsk | StartAsk | RuntimeAsk): ModelCall {
  if ('start' in ask) return { kind: 'runtime', toolCallId: ask.id, toolName: 'start_run', input: ask.start };
  if ('runtime' in ask) return { kind: 'runtime', toolCallId: ask.id, toolName: ask.runtime, input: ask.input };
  if (ask.invalid !== undefined)
    return { kind: 'invalid', toolCallId: ask.id, toolName: ask.name ?? 'tool', error: ask.invalid };
  return {
    kind: 'tool',
    toolCallId: ask.id,
    toolName: ask.name ?? 'tool',
    input: ask.input ?? {},
    policy: {
      idempotent: ask.idempotent ?? true,
      timeoutMs: 60_000,
      retries: ask.retries ?? 0,
      ...(ask.repairs === undefined ? {} : { repairs: ask.repairs }),
      ...(ask.approval === undefined ? {} : { approval: ask.approval }),
      ...(ask.actionKey === undefined ? {} : { actionKey: ask.actionKey }),
    },
  };
}
