/**
 * The plan of a chaos run from its seed. A round has a seed of its own, made from that and its number, so that it can be done again alone.
 * The same seed gives the same plan; what comes between its items is the machine's.
 */
import { Random } from '../examples/import-and-build/orders/random.ts';
import {
  FORGERIES,
  LOSSES,
  type Forgery,
  type Item,
  type Loss,
  type Message,
  type Round,
  type SessionPlan,
  type Wanted,
} from './plan.ts';
import { labelOf, runsOf, type Call, type Label, type Script, type Work } from './script.ts';

const RUNS_OF_A_ROUND = 100;
const RUNS_OF_A_SESSION = 25;
const HISTORY_EVENTS = [40, 60, 100, 200] as const;
/** Long enough for a worker to be found at work on it, and stopped. */
const BALLAST: Work = { units: 40, paceMs: 100, half: 20 };
const DEEPEST = 3;

/** As many rounds as the runs need; losses and restarts are spread over them evenly. */
export function plan(wanted: Wanted): Round[] {
  const rounds = Math.max(1, Math.ceil(wanted.runs / RUNS_OF_A_ROUND));
  return Array.from({ length: rounds }, (_, i) => roundOf(wanted, rounds, i + 1));
}

/** One round of so many; beyond the last they go on alike. */
export function roundOf({ seed, runs, kills, restarts }: Wanted, rounds: number, round: number): Round {
  const share = (of: number): number => {
    const i = (round - 1) % rounds;
    return Math.floor((of * (i + 1)) / rounds) - Math.floor((of * i) / rounds);
  };
  return new Generator(seed, round).make(share(runs), share(kills), share(restarts));
}

class Generator {
  private readonly random: Random;
  private readonly name: string;
  private readonly seed: number;
  private readonly round: number;
  private count = 0;
  private left = 0;

  constructor(seed: number, round: number) {
    this.random = new Random(Math.imul(seed, 7919) + round);
    this.name = `chaos-${seed}-${round}`;
    this.seed = seed;
    this.round = round;
  }

  make(runs: number, kills: number, restarts: number): Round {
    const { seed, round } = this;
    const faults = this.faults(kills, restarts);
    const ballast: SessionPlan = { sessionId: `${this.name}-ballast`, input: { agent: 'helper' }, runs: 'cancel' };
    const sessions = Array.from({ length: Math.max(2, Math.ceil(runs / RUNS_OF_A_SESSION)) }, (_, i) =>
      this.session(i),
    );
    const each = Math.max(1, Math.ceil((runs - faults.length) / sessions.length));
    const lists = sessions.map(({ sessionId }, i) => this.itemsOf(sessionId, each, i > 0 && i % 3 === 1));
    const sends = this.shuffled(lists);
    const planned = sends.reduce((sum, item) => sum + startedBy(item), faults.length);
    return { seed, round, sessions, ballast, items: this.with(sends, faults, ballast.sessionId), runs: planned };
  }

  private session(i: number): SessionPlan {
    return {
      sessionId: `${this.name}-${i + 1}`,
      input: {
        agent: 'helper',
        limits: { historyEvents: this.random.pick(HISTORY_EVENTS), maxConcurrentRuns: this.random.integer(4, 16) },
        turns: { batchBackground: this.random.chance(0.7) },
      },
      runs: this.random.chance(0.5) ? 'keep' : 'cancel',
    };
  }

  /** Each loss at least once, as far as there are enough. */
  private faults(kills: number, restarts: number): (Loss | 'server')[] {
    const losses = Array.from({ length: kills }, (_, i) =>
      i < LOSSES.length ? (LOSSES[i] ?? 'kill') : this.random.pick(['kill', 'kill', 'kill', 'stop', 'term'] as const),
    );
    return this.mixed([...losses, ...Array.from({ length: restarts }, () => 'server' as const)]);
  }

  private mixed<T>(list: readonly T[]): T[] {
    return list
      .map((one) => ({ one, at: this.random.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ one }) => one);
  }

  /** The lists as one, each in its own order. */
  private shuffled(lists: readonly (readonly Item[])[]): Item[] {
    const order = this.mixed(lists.flatMap((items, i) => items.map(() => i)));
    const next = lists.map(() => 0);
    return order.flatMap((i) => {
      const at = next[i] ?? 0;
      next[i] = at + 1;
      return lists[i]?.[at] ?? [];
    });
  }

  /** Faults between what is sent, from where a quarter has been: each after its ballast. */
  private with(sends: readonly Item[], faults: readonly (Loss | 'server')[], session: string): Item[] {
    const items: Item[] = [];
    const begin = Math.floor(sends.length / 4);
    const gap = (sends.length - begin) / Math.max(1, faults.length);
    let done = 0;
    for (const [i, item] of [...sends, undefined].entries()) {
      while (done < faults.length && i >= Math.min(sends.length, begin + Math.floor(done * gap))) {
        const fault = faults[done++];
        const runId = `ballast-${done}`;
        const label = labelOf({ notify: 'silent', units: BALLAST.units });
        const argument = {
          runId,
          agent: 'work',
          input: { ...BALLAST },
          label,
          detached: { notify: 'silent' as const },
        };
        items.push({ do: 'send', session, as: 'update', message: { name: 'startRun', argument } });
        items.push(
          fault === 'server' || fault === undefined
            ? { do: 'restart server', ballast: runId }
            : { do: 'lose', loss: fault, ballast: runId },
        );
      }
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  /** What is sent to one session until its runs are used up. */
  private itemsOf(session: string, runs: number, closesEarly: boolean): Item[] {
    this.left = runs;
    const items: Item[] = [];
    const started: string[] = [];
    const listening: string[] = [];
    const send = (message: Message): void => {
      items.push({ do: 'send', session, as: this.random.chance(0.6) ? 'update' : 'signal', message });
    };
    const start = (): Message => {
      const argument = this.run();
      started.push(argument.runId);
      if ((argument.input as Partial<Work>).hears === true) listening.push(argument.runId);
      return { name: 'startRun', argument };
    };
    while (this.left > 0) {
      const what = this.random.next();
      if (what < 0.4) send(this.turn());
      else if (what < 0.6) send(start());
      else if (what < 0.68) {
        const runs = Array.from({ length: this.random.integer(2, 4) }, () => this.run());
        started.push(...runs.map(({ runId }) => runId));
        listening.push(...runs.flatMap(({ runId, input }) => ((input as Partial<Work>).hears === true ? [runId] : [])));
        send({ name: 'startRuns', argument: { runs } });
      } else if (what < 0.78) this.again(items);
      else if (what < 0.9) this.forge(items, session, started);
      else if (what < 0.94 && started.length > 0) {
        const runId = this.oneOf(started);
        send({ name: 'cancelRun', argument: { runId, ...(this.random.chance(0.3) ? { cascade: false } : {}) } });
      } else if (what < 0.97) send({ name: 'cancelTurn', argument: { reason: 'chaos' } });
      else if (what < 0.98) send({ name: 'resetTurns', argument: { reason: 'chaos' } });
      const hearing = listening.shift();
      if (hearing !== undefined) send(this.word(hearing));
      if (this.random.chance(0.1) && started.length > 0) send(this.word(this.oneOf(started)));
    }
    // One that hears nothing waits for ever.
    for (const runId of listening) send(this.word(runId));
    if (closesEarly) {
      const runs = this.random.chance(0.5) ? 'keep' : 'cancel';
      items.push({ do: 'close', session, runs, turn: this.random.chance(0.5) ? 'finish' : 'cancel' });
    }
    return items;
  }

  private again(items: Item[]): void {
    const sent = items.filter((item) => item.do === 'send' && isKeyed(item.message));
    const one = sent.length === 0 ? undefined : this.oneOf(sent);
    if (one?.do === 'send') items.push({ ...one, as: this.random.chance(0.5) ? 'update' : 'signal', again: true });
  }

  private forge(items: Item[], session: string, started: readonly string[]): void {
    if (started.length === 0) return;
    const forgery = this.oneOf<Forgery>(FORGERIES);
    items.push({ do: 'forge', session, runId: this.oneOf(started), forgery });
  }

  private oneOf<T>(list: readonly T[]): T {
    const one = list[this.random.integer(0, list.length - 1)];
    if (one === undefined) throw new Error('Expected a list of at least one, got none.');
    return one;
  }

  private word(runId: string): Message {
    const messageId = `m${++this.count}`;
    return { name: 'messageRun', argument: { runId, messageId, message: 'go on' } };
  }

  private turn(): Message {
    const script = this.script(0);
    const onBusy = this.random.chance(0.2)
      ? this.oneOf(['interrupt', 'latest', 'merge', 'drop', 'steer', 'steer'] as const)
      : undefined;
    const input = JSON.stringify(script);
    const idempotencyKey = script.key;
    return { name: 'submitTurn', argument: { input, idempotencyKey, ...(onBusy === undefined ? {} : { onBusy }) } };
  }

  private run(): Extract<Message, { name: 'startRun' }>['argument'] {
    const isAgent = this.left > 2 && this.random.chance(0.3);
    this.left -= 1;
    const input = isAgent ? this.script(1) : this.work(true);
    const notify = this.oneOf(['react', 'react', 'narrate', 'silent'] as const);
    const label: Label = { notify };
    const detached: Exclude<NonNullable<Extract<Message, { name: 'startRun' }>['argument']['detached']>, true> = {
      notify,
    };
    if (!isAgent) label.units = (input as Work).units;
    if (this.random.chance(0.4)) {
      const names = this.oneOf([['half'], ['half', 'late'], ['late']]);
      label.watch = names;
      detached.onMilestones = { names, mode: this.random.chance(0.5) ? 'react' : 'narrate' };
    }
    if (this.random.chance(0.2)) {
      detached.maxBudgetMs = this.random.integer(500, 3000);
      detached.onBudget = this.random.chance(0.5) ? 'keep' : 'cancel';
    } else if ('silent' in input && input.silent) {
      detached.noProgressBudgetMs = 1000;
      detached.onBudget = 'keep';
    }
    return {
      runId: `run-${++this.count}`,
      agent: isAgent ? 'helper' : 'work',
      input: { ...input } as never,
      label: labelOf(label),
      detached,
    };
  }

  /** @param spoken to: it may wait for a message, which is sent after it. */
  private work(spoken: boolean): Work {
    const units = this.random.integer(2, 20);
    const input: Work = { units, paceMs: this.random.integer(20, 150) };
    if (this.random.chance(0.5)) input.half = Math.ceil(units / 2);
    if (this.random.chance(0.3)) input.late = units;
    if (this.random.chance(0.1)) input.silent = true;
    if (spoken && this.random.chance(0.15)) input.hears = true;
    if (this.random.chance(0.12)) input.fails = this.random.chance(0.6) ? 'once' : 'always';
    return input;
  }

  private script(depth: number): Script {
    const steps = Array.from({ length: this.random.integer(depth === 0 ? 0 : 1, 3 - Math.min(1, depth)) }, () =>
      Array.from({ length: this.random.integer(1, 3 - Math.min(1, depth)) }, () => this.call(depth)),
    );
    const script: Script = { key: `k${++this.count}-${this.name}`, steps, thinkMs: this.random.integer(0, 300) };
    if (this.random.chance(0.08)) script.refused = this.random.integer(0, steps.length);
    return script;
  }

  private call(depth: number): Call {
    const what = this.random.next();
    if (what < 0.4 && this.left > 0) return this.start(depth);
    if (what < 0.6) return { tool: 'charge' };
    if (what < 0.75) return { tool: 'note' };
    if (what < 0.83 && depth > 0) return { tool: 'report_milestone', name: this.oneOf(['half', 'late']) };
    if (what < 0.91 && depth > 0) return { tool: 'ask_parent', who: this.random.chance(0.6) ? 'parent' : 'person' };
    if (what < 0.93) return { tool: 'cancel_run' };
    if (what < 0.95) return { tool: 'inspect_run' };
    return { tool: this.random.chance(0.5) ? 'list_runs' : 'charge' };
  }

  private start(depth: number): Call {
    this.left -= 1;
    const waits = this.random.chance(0.25);
    const wait = waits ? { wait: true as const, ...(this.random.chance(0.5) ? { detachAfterMs: 1500 } : {}) } : {};
    // Three levels: an agent run that starts an agent run that starts a task.
    if (depth < DEEPEST - 1 && this.random.chance(0.5))
      return { tool: 'start_run', agent: 'helper', input: this.script(depth + 1), ...wait };
    return { tool: 'start_run', agent: 'work', input: this.work(false), ...wait };
  }
}

/** Sent again, these are known by their ids. */
function isKeyed({ name }: Message): boolean {
  return name === 'submitTurn' || name === 'startRun' || name === 'startRuns' || name === 'messageRun';
}

function startedBy(item: Item): number {
  if (item.do !== 'send' || item.again === true) return 0;
  const { message } = item;
  switch (message.name) {
    case 'submitTurn':
      return runsOf(JSON.parse(message.argument.input as string) as Script);
    case 'startRun':
      return 1 + below(message.argument.input);
    case 'startRuns':
      return message.argument.runs.reduce((sum, { input }) => sum + 1 + below(input), 0);
    default:
      return 0;
  }
}

function below(input: unknown): number {
  return typeof input === 'object' && input !== null && 'steps' in input ? runsOf(input as Script) : 0;
}
