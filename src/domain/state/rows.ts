/**
 * The runs of one starter: their rows in the order in which they were started, what is kept of forgotten ones, and beside them what rules
 * ask of all rows at once (places taken, bytes, the nearest deadline, …) without looking at any.
 *
 * Whoever is handed a row may change it, so every row that was handed out since the last input is reckoned anew before such a question
 * is answered. So nothing can be forgotten, and an input costs what it concerns, however many rows there are. To read only, take it from
 * `peek` and `all`.
 */
import { Agenda } from './agenda.ts';
import { jsonBytes } from './json.ts';
import { deadlineOf, type Deadline } from './row-deadlines.ts';
import {
  begunOf,
  holdsPlace,
  isDone,
  isLost,
  isOutOfReach,
  isSettled,
  unsettledOf,
  type OldRow,
  type RunState,
} from './row.ts';

/** What one row adds to the answers. */
interface Share {
  isQueued: boolean;
  isDue: boolean;
  /** It has neither settled nor been lost, and can be reached. */
  isOpen: boolean;
  isDone: boolean;
  /** It has settled, and nothing of it is to come. */
  isEnded: boolean;
  places: number;
  liveBytes: number;
  queuedBytes: number;
}

const NOTHING: Share = {
  isQueued: false,
  isDue: false,
  isOpen: false,
  isDone: false,
  isEnded: false,
  places: 0,
  liveBytes: 0,
  queuedBytes: 0,
};

function shareOf(row: RunState): Share {
  const { life, own } = row;
  const done = isDone(row);
  const asked = life.stage === 'queued' ? life.asked.bytes : 0;
  const unread = unsettledOf(row)?.notes?.unread ?? [];
  return {
    isQueued: life.stage === 'queued',
    isDue: begunOf(row)?.watch.due === true,
    isOpen: !isSettled(row) && !isLost(row) && !isOutOfReach(row),
    isDone: done,
    isEnded: done && isSettled(row),
    places: holdsPlace(row) ? 1 : 0,
    liveBytes: done
      ? 0
      : own.bytes +
        asked +
        (unread.length === 0 ? 0 : jsonBytes(unread)) +
        (own.asks === undefined ? 0 : jsonBytes(own.asks)),
    queuedBytes: asked,
  };
}

/** The form in which rows are carried. */
export interface RowsJson {
  rows: RunState[];
  forgotten: OldRow[];
}

export class Rows {
  /** Runs whose start was asked of Temporal and is not confirmed: nothing may close or continue as new. */
  readonly unconfirmed = new Set<string>();
  private readonly rows = new Map<string, RunState>();
  private readonly old = new Map<string, OldRow>();
  private readonly shares = new Map<RunState, Share>();
  private readonly handedOut = new Set<RunState>();
  private readonly agenda = new Agenda<RunState>();
  private readonly queuedRows = new Set<RunState>();
  private readonly dueRows = new Set<RunState>();
  /** The one that settled first first: it is forgotten first. */
  private readonly endedRows: RunState[] = [];
  private readonly sums = { places: 0, liveBytes: 0, queuedBytes: 0, open: 0, done: 0 };

  constructor({ rows, forgotten }: RowsJson = { rows: [], forgotten: [] }) {
    for (const row of rows) this.add(row);
    for (const row of forgotten) this.old.set(row.runId, row);
    this.endInput();
  }

  toJSON(): RowsJson {
    return { rows: [...this.rows.values()], forgotten: [...this.old.values()] };
  }

  add(row: RunState): void {
    this.rows.set(row.runId, row);
    this.handedOut.add(row);
  }

  /** A row to change. */
  get(runId: string): RunState | undefined {
    const row = this.rows.get(runId);
    if (row !== undefined) this.handedOut.add(row);
    return row;
  }

  /** A row to read. */
  peek(runId: string): Readonly<RunState> | undefined {
    return this.rows.get(runId);
  }

  /** What is kept of a forgotten run. */
  forgotten(runId: string): OldRow | undefined {
    return this.old.get(runId);
  }

  /** All rows to change, in the order of their start. */
  *each(): Generator<RunState> {
    for (const row of this.rows.values()) {
      this.handedOut.add(row);
      yield row;
    }
  }

  /** All rows to read, in the order of their start. */
  get all(): readonly Readonly<RunState>[] {
    return [...this.rows.values()];
  }

  get allForgotten(): readonly OldRow[] {
    return [...this.old.values()];
  }

  get size(): number {
    return this.rows.size;
  }

  /** Takes a row away, and keeps what is given in its place; of those the last so many. */
  forget(row: RunState, kept: OldRow | undefined, most: number): void {
    this.rows.delete(row.runId);
    this.handedOut.delete(row);
    this.share(row, NOTHING);
    this.shares.delete(row);
    this.agenda.set(row, undefined, 0);
    if (kept !== undefined) this.old.set(row.runId, kept);
    this.forgetOld(most);
  }

  /** Keeps the last so many of the forgotten. */
  forgetOld(most: number): void {
    for (const runId of this.old.keys()) {
      if (this.old.size <= most) return;
      this.old.delete(runId);
    }
  }

  get placesTaken(): number {
    return this.reckoned().sums.places;
  }

  /** Bytes of what queued runs were asked with. */
  get queuedBytes(): number {
    return this.reckoned().sums.queuedBytes;
  }

  /** Bytes of what is never shed. */
  get liveBytes(): number {
    return this.reckoned().sums.liveBytes;
  }

  /** How many are still to end: they have neither settled nor been lost, and can be reached. */
  get open(): number {
    return this.reckoned().sums.open;
  }

  get queued(): number {
    return this.reckoned().queuedRows.size;
  }

  /** True when nothing of any run is to come any more. */
  get areDone(): boolean {
    return this.reckoned().sums.done === this.rows.size;
  }

  /** How many have settled, with nothing of them to come any more. */
  get ended(): number {
    return this.reckoned().endedRows.length;
  }

  /** The queued run that comes first. */
  firstQueued(): RunState | undefined {
    const [first] = this.reckoned().queuedRows;
    return first === undefined ? undefined : this.get(first.runId);
  }

  /** The first so many of those, the one that settled first first. */
  firstEnded(count: number): RunState[] {
    return this.reckoned().endedRows.slice(0, count);
  }

  /** The runs that are to be looked at as soon as may be. */
  due(): RunState[] {
    return this.taken([...this.reckoned().dueRows]);
  }

  /** The nearest deadline of a run. */
  nextDeadline(): Deadline | undefined {
    const first = this.reckoned().agenda.first();
    return first === undefined ? undefined : deadlineOf(first.item);
  }

  /** The runs with a deadline up to an instant, in the order of their start. */
  until(at: number): RunState[] {
    return this.taken(this.reckoned().agenda.until(at));
  }

  /** An input has been dealt with: who wants to change a row from here on asks for it again. */
  endInput(): void {
    this.reckoned().handedOut.clear();
  }

  private taken(rows: RunState[]): RunState[] {
    for (const row of rows) this.handedOut.add(row);
    return rows.sort((a, b) => a.own.ordinal - b.own.ordinal);
  }

  private reckoned(): this {
    for (const row of this.handedOut) this.reckon(row);
    return this;
  }

  private reckon(row: RunState): void {
    this.share(row, shareOf(row));
    this.agenda.set(row, deadlineOf(row)?.at, row.own.ordinal);
  }

  private putEnded(row: RunState, isIn: boolean): void {
    if (isIn) this.endedRows.splice(placeOf(row, this.endedRows), 0, row);
    else this.endedRows.splice(this.endedRows.indexOf(row), 1);
  }

  private share(row: RunState, now: Share): void {
    const before = this.shares.get(row) ?? NOTHING;
    this.shares.set(row, now);
    const { sums } = this;
    sums.places += now.places - before.places;
    sums.liveBytes += now.liveBytes - before.liveBytes;
    sums.queuedBytes += now.queuedBytes - before.queuedBytes;
    sums.open += Number(now.isOpen) - Number(before.isOpen);
    sums.done += Number(now.isDone) - Number(before.isDone);
    put(this.queuedRows, row, now.isQueued);
    put(this.dueRows, row, now.isDue);
    if (now.isEnded !== before.isEnded) this.putEnded(row, now.isEnded);
  }
}

/** Most settle after those before them, so that the place is found from the end. */
function placeOf(row: RunState, ended: readonly RunState[]): number {
  const isBefore = (other: RunState | undefined): boolean =>
    other !== undefined && (settledAt(other) - settledAt(row) || other.own.ordinal - row.own.ordinal) > 0;
  let place = ended.length;
  while (isBefore(ended[place - 1])) place -= 1;
  return place;
}

function put(set: Set<RunState>, row: RunState, isIn: boolean): void {
  if (isIn) set.add(row);
  else set.delete(row);
}

function settledAt({ settledAt: at, createdAt }: RunState): number {
  return Date.parse(at ?? createdAt);
}
