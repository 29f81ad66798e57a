/**
 * What is to be told to somebody else: to the parent, to a run, to an app's handler. An entry says what it is about, and what it tells is
 * gathered when it leaves, so that all since the last goes with the next.
 *
 *     ready → under way → told, or ready again when there was more meanwhile
 *       ↑         ↓
 *       └──── backoff
 *
 * Of one entry at most one message is under way, and it stays until that has been acknowledged: what is put here is told at least once, and
 * a receiver that counts takes it once.
 */
import { Agenda } from './agenda.ts';
import { jsonBytes } from './json.ts';

export type About =
  /** To the parent. */
  | { lane: 'milestones' }
  | { lane: 'read' }
  | { lane: 'requests'; requestId: string }
  | { lane: 'tokens' }
  /** To a run, and to whoever has asked. */
  | { lane: 'notes'; runId: string }
  | { lane: 'budget'; runId: string }
  | { lane: 'answers'; workflowId: string; answer: ForwardedAnswer }
  | { lane: 'handlers'; key: string; call: HandlerCall };

export type Lane = About['lane'];

/** What leaves by these is told to the parent. */
export const TO_PARENT = ['milestones', 'read', 'requests', 'tokens'] as const satisfies readonly Lane[];

/** An answer on its way to the run that has asked. One that comes too late is a message all the same when it has a `messageId`. */
export interface ForwardedAnswer {
  requestId: string;
  value: string;
  messageId: string;
}

/** A call of an app's handler. */
export interface HandlerCall {
  /** `handler:<name>` of an `onFinish`, or one of the worker's own. */
  handler: string;
  kind: 'start' | 'finish' | 'gave-up' | 'milestone';
  runId: string;
  /** Of a milestone. */
  name?: string;
}

/** As its app calls it. */
export function nameOfHandler({ handler }: Pick<HandlerCall, 'handler'>): string {
  return handler.replace(/^handler:/u, '');
}

export interface Entry {
  readonly about: About;
  /** Attempts to tell it, from 1. */
  attempt: number;
  /** Of a handler: since when no worker that took it has had it, milliseconds. */
  unknownSince?: number;
  way: Way;
}

/** `more`: something was put here while it was under way. `retryAt`: milliseconds. */
type Way = { is: 'ready' } | { is: 'under-way'; more: boolean } | { is: 'backoff'; retryAt: number };

/** What makes two entries the same. */
export function keyOf(about: About): string {
  switch (about.lane) {
    case 'milestones':
    case 'read':
    case 'tokens':
      return about.lane;
    case 'requests':
      return `requests ${about.requestId}`;
    case 'notes':
    case 'budget':
      return `${about.lane} ${about.runId}`;
    case 'answers':
      return `answers ${about.answer.messageId}`;
    case 'handlers':
      return `handlers ${about.key}`;
    default:
      return about satisfies never;
  }
}

export class Outbox {
  private readonly entries = new Map<string, Entry>();
  private readonly readyEntries = new Set<Entry>();
  private readonly agenda = new Agenda<Entry>();
  private readonly underWay = new Map<Lane, number>();
  private order = 0;
  private held = 0;

  constructor(entries: readonly Entry[] = []) {
    for (const entry of entries) {
      this.entries.set(keyOf(entry.about), entry);
      this.held += bytesOf(entry.about);
      this.enter(entry, entry.way);
    }
  }

  toJSON(): Entry[] {
    return [...this.entries.values()];
  }

  /** Something is to be told. */
  put(about: About): void {
    const before = this.entries.get(keyOf(about));
    if (before === undefined) {
      const entry: Entry = { about, attempt: 1, way: { is: 'ready' } };
      this.entries.set(keyOf(about), entry);
      this.held += bytesOf(about);
      this.enter(entry, entry.way);
    } else if (before.way.is === 'under-way') before.way.more = true;
  }

  get(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  /** True when something of a lane is still to be told. */
  has(lane: Lane): boolean {
    for (const { about } of this.entries.values()) if (about.lane === lane) return true;
    return false;
  }

  get isEmpty(): boolean {
    return this.entries.size === 0;
  }

  /** Bytes of what stands nowhere else until it is told: answers. */
  get bytes(): number {
    return this.held;
  }

  /** True when nothing is under way. */
  get isQuiet(): boolean {
    for (const count of this.underWay.values()) if (count > 0) return false;
    return true;
  }

  /** How many of a lane are under way. */
  underWayOf(lane: Lane): number {
    return this.underWay.get(lane) ?? 0;
  }

  /** What may leave now, in the order in which it came to that. */
  get ready(): Iterable<Entry> {
    return [...this.readyEntries];
  }

  leave(entry: Entry): void {
    if (entry.way.is !== 'ready')
      throw new Error(`What is ${entry.way.is} cannot leave: of one entry at most one message is under way.`);
    this.enter(entry, { is: 'under-way', more: false });
  }

  /** It was told: acknowledged by whoever it was for. */
  told(entry: Entry): void {
    const more = entry.way.is === 'under-way' && entry.way.more;
    this.drop(entry);
    if (more) this.put(entry.about);
  }

  /** It was not told, and is tried again at an instant. */
  failed(entry: Entry, retryAt: number): void {
    entry.attempt += 1;
    this.later(entry, retryAt);
  }

  /** It may leave again at an instant; that was no attempt. */
  later(entry: Entry, retryAt: number): void {
    this.enter(entry, { is: 'backoff', retryAt });
  }

  /** It was called off, and is told again. */
  calledOff(entry: Entry): void {
    this.enter(entry, { is: 'ready' });
  }

  drop(entry: Entry): void {
    if (this.entries.get(keyOf(entry.about)) !== entry) return;
    this.exit(entry);
    this.held -= bytesOf(entry.about);
    this.entries.delete(keyOf(entry.about));
  }

  dropLane(lane: Lane): void {
    for (const entry of this.toJSON()) if (entry.about.lane === lane) this.drop(entry);
  }

  /** The nearest attempt. */
  nextRetry(): { at: number; what: string } | undefined {
    const first = this.agenda.first();
    return first === undefined ? undefined : { at: first.at, what: `retry of ${nameOf(first.item.about)}` };
  }

  /** What has waited long enough may leave. */
  wake(due: number): void {
    for (const entry of this.agenda.until(due)) this.enter(entry, { is: 'ready' });
  }

  /** Nothing of a lane waits beyond an instant. */
  hurry(lane: Lane, latest: number): void {
    for (const entry of this.toJSON())
      if (entry.about.lane === lane && entry.way.is === 'backoff' && entry.way.retryAt > latest)
        this.enter(entry, { is: 'backoff', retryAt: latest });
  }

  private enter(entry: Entry, way: Way): void {
    this.exit(entry);
    entry.way = way;
    const { lane } = entry.about;
    if (way.is === 'ready') this.readyEntries.add(entry);
    else if (way.is === 'backoff') this.agenda.set(entry, way.retryAt, ++this.order);
    else this.underWay.set(lane, this.underWayOf(lane) + 1);
  }

  private exit(entry: Entry): void {
    const { lane } = entry.about;
    if (this.readyEntries.delete(entry)) return;
    if (entry.way.is === 'under-way') this.underWay.set(lane, Math.max(0, this.underWayOf(lane) - 1));
    else this.agenda.set(entry, undefined, 0);
  }
}

function bytesOf(about: About): number {
  return about.lane === 'answers' ? jsonBytes(about) : 0;
}

function nameOf(about: About): string {
  return about.lane === 'handlers' ? about.call.handler : about.lane;
}
