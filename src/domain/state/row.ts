/**
 * A row: what the starter of a run shows of it, and apart from that what only the starter needs, as `own` whatever becomes of the run,
 * and as `life` by how far it has come.
 *
 *     queued → starting → live → settled
 *                   ↘      ↘      ↑
 *                     given up ───┘          (and from each straight to settled)
 *
 * `status` and `life` are written here and nowhere else. A move that the order above does not have throws and says why: rules look
 * before they move.
 */
import type { DetachedCall, Note } from './turn.ts';
import type {
  Delivery,
  Detached,
  Failure,
  ForgottenRow,
  Json,
  RequestStatus,
  Row,
  RunStatus,
  SettledStatus,
} from './types.ts';

/** `deadlineAt` is made from `own.deadline` when it is shown. */
export interface RunState extends Omit<Row, 'status' | 'deadlineAt'> {
  readonly status: RunStatus;
  readonly own: Own;
  readonly life: Life;
}

export interface Own {
  /** The how manieth of its starter's runs it is: the order of lists. */
  readonly ordinal: number;
  readonly detached: Detached;
  /** Its ceiling, milliseconds; moves on while it waits for an answer. */
  deadline: number;
  /** What is never shed of it, with what it may grow by. */
  bytes: number;
  /** Its questions to this workflow that were not answered when last heard of, or not told yet. */
  asks?: Ask[];
  /** Calls of handlers about it that have not succeeded yet. */
  calls?: number;
  /** The worker wants to be told when it has settled. */
  tellsFinish?: true;
  /** Why its starter gave up on it; stays when it settles later. */
  gaveUp?: GiveUpReason;
  /** The number of its last milestone, when that was shed. */
  lastMilestone?: number;
}

export type GiveUpReason = 'budget_exceeded' | 'no_progress' | 'lost';

export type Life =
  | ({ readonly stage: 'queued'; readonly asked: Asked } & Unsettled)
  /** Its start was asked of Temporal. */
  | ({ readonly stage: 'starting'; readonly asked: Asked } & Begun)
  /** `epoch`: the run id of its workflow's first execution. */
  | ({ readonly stage: 'live'; readonly epoch: string } & Begun)
  /** Its starter has stopped waiting for it. `lost`: it is nowhere to be found and holds no place. */
  | ({ readonly stage: 'given-up'; epoch?: string; lost: boolean } & Begun)
  | ({ readonly stage: 'settled' } & Ended);

/** What a run was asked with; kept until its start is confirmed. */
export interface Asked {
  input: Json;
  bytes: number;
  /** Of a run of kind `tool`. */
  call?: DetachedCall;
}

export interface Unsettled {
  cancel?: Cancellation;
  /** Whoever has it cancelled does not want its starter to be told. */
  unannounced?: true;
  notes?: Notes;
}

export interface Begun extends Unsettled {
  watch: Watch;
  /** Then the run is ended by force, milliseconds. */
  graceAt?: number;
  /** It was ended by force: that Temporal calls it terminated is our own doing. */
  forced?: true;
  /** How often the server did not let it be ended by force. */
  withstood?: number;
  /** Its clocks stand still since then, milliseconds. */
  pausedAt?: number;
}

/** A request to cancel a run. */
export interface Cancellation {
  reason: string;
  comment?: string;
  cascade: boolean;
}

/** What a run was sent: `sent` counts them, `unread` are those it has not read yet, oldest first, with their text until it has them. */
export interface Notes {
  sent: number;
  unread: (Omit<Note, 'message'> & { bytes: number; message?: string })[];
}

/** What its starter knows of a run's movements. All instants are milliseconds. */
export interface Watch {
  /** Its last progress that its starter knows of: its silence counts from here. */
  movedAt: number;
  /** Silent for too long: the next look decides. */
  silent?: true;
  /** The next look at it, and how many there have been since the waits between them began anew. */
  lookAt?: number;
  looks: number;
  /** It is to be looked at as soon as may be. */
  due?: true;
  lookedAt?: number;
  /** Looks in a row that found nothing. */
  missed: number;
  /** History events that the workflow of a `workflow:` run had when it was last seen. */
  events?: number;
}

export interface Ended {
  /** The beginning of a result that is read at the run. */
  preview?: string;
  /** Paths below this run that its settle named as cancelled. */
  cancelledBelow?: string[];
}

/** A question of a run to its starter. */
export interface Ask {
  requestId: string;
  question: string;
  delivery: Delivery;
  /** What has become of it as far as this workflow knows; one that it has answered itself is not open. */
  status: RequestStatus;
}

/** What is kept of a forgotten run, with its place in the order of lists. */
export interface OldRow extends ForgottenRow {
  ordinal: number;
}

type Stage = Life['stage'];

/** Where each stage may lead, and why nowhere else. */
const MOVES: Readonly<Record<Stage, { to: readonly Stage[]; why: string }>> = {
  queued: { to: ['starting', 'settled'], why: 'a queued run is started first, in its turn, or never' },
  starting: { to: ['live', 'given-up', 'settled'], why: 'a run is started once' },
  live: { to: ['given-up', 'settled'], why: 'a run that has started has left the queue for good' },
  'given-up': { to: ['settled'], why: 'after giving up only a settle is still taken' },
  settled: { to: [], why: 'the first settle stands and never changes' },
};

function move(row: RunState, life: Life, status: RunStatus): void {
  const { to, why } = MOVES[row.life.stage];
  if (!to.includes(life.stage))
    throw new Error(`Run ${row.runId} is ${row.life.stage} and cannot become ${life.stage}: ${why}.`);
  Object.assign(row, { life, status });
}

/** Gives a queued run its place: its start is asked of Temporal. */
export function begin(row: RunState, now: number): void {
  const { life } = row;
  if (life.stage !== 'queued') throw new Error(`Run ${row.runId} is ${life.stage} and cannot be started again.`);
  move(row, { ...life, stage: 'starting', watch: { movedAt: now, looks: 0, missed: 0 } }, 'running');
}

/** Temporal has the run: what it was asked with need not be kept here any longer. */
export function confirm(row: RunState, epoch: string): void {
  const { life } = row;
  if (life.stage === 'starting') {
    const { asked: _asked, ...begun } = life;
    move(row, { ...begun, stage: 'live', epoch }, row.status);
  } else if (life.stage === 'given-up') life.epoch ??= epoch;
}

/** The starter stops waiting for a run that has begun; it may still settle. */
export function giveUpOn(row: RunState): void {
  const { life } = row;
  if (life.stage === 'live') move(row, { ...life, stage: 'given-up', lost: false }, 'interrupted');
  else if (life.stage === 'starting') {
    const { asked: _asked, ...begun } = life;
    move(row, { ...begun, stage: 'given-up', lost: false }, 'interrupted');
  } else throw new Error(`Run ${row.runId} is ${life.stage} and cannot be given up: ${MOVES[life.stage].why}.`);
}

/** It is nowhere to be found: its place is free, and nobody is left to be asked or ended by force. */
export function lose(row: RunState): void {
  const { life } = row;
  if (life.stage !== 'given-up') throw new Error(`Run ${row.runId} is ${life.stage}: who is lost was given up first.`);
  life.lost = true;
  delete life.graceAt;
}

/** The run has ended. */
export function end(row: RunState, status: SettledStatus, ended: Ended): void {
  move(row, { ...ended, stage: 'settled' }, status);
}

/** Its clocks stand still: it waits for an answer. */
export function pause(row: RunState, now: number): void {
  const begun = begunOf(row);
  if (begun === undefined) return;
  begun.pausedAt ??= now;
  if (row.status === 'running') Object.assign(row, { status: 'input_required' });
}

/** Its clocks go on where they stopped. */
export function resume(row: RunState, now: number): void {
  const begun = begunOf(row);
  if (begun?.pausedAt === undefined) return;
  row.own.deadline += now - begun.pausedAt;
  begun.watch.movedAt = now;
  delete begun.pausedAt;
  if (row.status === 'input_required') Object.assign(row, { status: 'running' });
}

/** What there is of a run as long as it has not settled. */
export function unsettledOf({ life }: RunState): Unsettled | undefined {
  return life.stage === 'settled' ? undefined : life;
}

/** What there is of a run that was given its place and has not settled. */
export function begunOf({ life }: RunState): Begun | undefined {
  return life.stage === 'settled' || life.stage === 'queued' ? undefined : life;
}

/** The run id of its workflow's first execution; empty as long as Temporal has not confirmed it. */
export function epochOf({ life }: Readonly<RunState>): string {
  return 'epoch' in life ? (life.epoch ?? '') : '';
}

/** Temporal has it, and it has not settled, so that it can be told something. */
export function hasEpoch(row: Readonly<RunState>): boolean {
  return epochOf(row) !== '';
}

/** What there is of a run only once it has settled. */
export function endedOf({ life }: Readonly<RunState>): Ended | undefined {
  return life.stage === 'settled' ? life : undefined;
}

export function isSettled(row: { status: string }): boolean {
  return row.status === 'completed' || row.status === 'failed' || row.status === 'cancelled';
}

/** True when its starter has given up on a run that is nowhere to be found: it holds no place, and a settle is still taken. */
export function isLost({ life }: RunState): boolean {
  return life.stage === 'given-up' && life.lost;
}

/** True when the server does not let it be ended by force: nobody can say when it ends. */
export function isOutOfReach(row: Readonly<RunState>): boolean {
  return begunOf(row)?.withstood !== undefined;
}

/** Running, or given up and perhaps still running. What waits for a person or a parent gives its place back. */
export function holdsPlace(row: RunState): boolean {
  return row.status === 'running' || (row.status === 'interrupted' && !isLost(row));
}

export function isOpenAsk({ status }: Ask): boolean {
  return status === 'open';
}

/** Forgets the questions of a run that are answered and told. */
export function forgetAsks({ own }: RunState): void {
  const kept = (own.asks ?? []).filter((ask) => isOpenAsk(ask) || !isFilled(ask.delivery));
  if (kept.length === 0) delete own.asks;
  else own.asks = kept;
}

/** True when nothing of a run is to come any more: it has settled or is lost, and what was to be told is. */
export function isDone(row: RunState): boolean {
  if (row.own.calls !== undefined) return false;
  if (isSettled(row)) return isDelivered(row);
  return isLost(row) && row.delivery.gaveUp !== undefined && isFilled(row.delivery.gaveUp);
}

/** True when nothing of a run is still on its way into the transcript. */
function isDelivered({ delivery: { finish, gaveUp, milestones }, own }: RunState): boolean {
  if (own.asks?.some((ask) => !isFilled(ask.delivery)) === true) return false;
  return (
    isFilled(finish) &&
    (gaveUp === undefined || isFilled(gaveUp)) &&
    (milestones === undefined || Object.values(milestones).every(isFilled))
  );
}

function isFilled(slot: Delivery): boolean {
  return slot.state === 'delivered' || slot.state === 'not_required';
}

/** A delivery slot: which run, and which of its facts. */
export type SlotRef =
  | { runId: string; kind: 'finish' }
  | { runId: string; kind: 'gave-up' }
  | { runId: string; kind: 'milestone'; name: string }
  | { runId: string; kind: 'ask'; requestId: string };

export function slotOf(row: RunState, slot: SlotRef): Delivery | undefined {
  switch (slot.kind) {
    case 'finish':
      return row.delivery.finish;
    case 'gave-up':
      return row.delivery.gaveUp;
    case 'milestone':
      return row.delivery.milestones?.[slot.name];
    case 'ask':
      return row.own.asks?.find((ask) => ask.requestId === slot.requestId)?.delivery;
    default:
      return slot satisfies never;
  }
}

/** How a run ended. */
export interface Outcome {
  status: SettledStatus;
  reason?: string;
  comment?: string;
  result?: Json;
  /** Why its model ended, when it did not end by itself. */
  finishReason?: string;
  error?: Failure;
}
