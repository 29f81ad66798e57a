/**
 * How far the end of a session has come, or the ending of a run.
 *
 *     turn → runs → telling → told ⇄ ready → done
 *
 * `turn`: its turn is still running. `runs`: the transcript has what waited and the runs know what becomes of them; settles are missing.
 * `telling`: runs that go on are told that nobody hears them any more. `ready`: only the end of the workflow is missing, unless something
 * comes that is still to be dealt with. `done`: the end is recorded.
 */
export interface Closing {
  readonly reason?: string;
  readonly runs: 'keep' | 'cancel';
  readonly turn: 'cancel' | 'finish';
  /** What to write on runs that end by it, and on turns. */
  readonly code: 'session_closed' | 'cancelled_by_parent';
  readonly turnCode: 'session_closed' | 'cancelled_by_user';
  readonly cascade: boolean;
  /** Asked for by Temporal's own cancellation: the workflow ends Cancelled. */
  readonly cancelledInTemporal?: true;
  /** A run's ending: by then it settles, whatever its task and its runs do, milliseconds; `over` once that time has come. */
  grace?: number | 'over';
  readonly stage: Stage;
}

/**
 * `left`: who goes on and is to be told after those who are being told now. `until`: so long the end waits for a run that cannot be reached,
 * milliseconds: to take what it was sent, and to know that nobody hears it any more.
 */
type Stage =
  | { is: 'turn' }
  | { is: 'runs'; until: number }
  | { is: 'telling'; left: string[]; underWay: boolean; until: number }
  | { is: 'told' }
  | { is: 'ready' }
  | { is: 'done' };

const MOVES: Readonly<Record<Stage['is'], readonly Stage['is'][]>> = {
  turn: ['runs'],
  runs: ['telling'],
  telling: ['telling', 'told'],
  told: ['ready'],
  ready: ['told', 'done'],
  done: [],
};

/** Goes on to the next stage. A run that settles is done from wherever it is: its grace may be over. */
export function moveTo(closing: Closing, stage: Stage, isForced = false): void {
  const from = closing.stage.is;
  if (from === 'done' || (!isForced && !MOVES[from].includes(stage.is)))
    throw new Error(
      `An end that is at "${from}" cannot go on to "${stage.is}": nothing of it is left out or done twice.`,
    );
  Object.assign(closing, { stage });
}

/** Who cannot be reached holds nothing up any longer. */
export function passTelling(closing: Closing, due: number): void {
  const { stage } = closing;
  if (stage.is === 'telling' && stage.underWay && stage.until <= due)
    moveTo(closing, { ...stage, left: [], underWay: false });
}
