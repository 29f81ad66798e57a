/**
 * A run of kind `tool`: one call of a tool, made as if it were the only one of a step, whose answer is the outcome of the run. So it waits for a person,
 * is tried again, given up and carried as any other call is.
 */
import { withdraw } from '../run/requests.ts';
import { decide, type RunSelf } from '../state/self.ts';
import { iso, type Cx, type State } from '../state/state.ts';
import { isInFlight, type ActiveTurn } from '../state/turn.ts';
import { noUsage } from '../state/usage.ts';
import type { CallAnswer } from './waits.ts';

/** This workflow is such a run. */
export function toolSelf({ self }: State): (RunSelf & { work: { kind: 'tool' } }) | undefined {
  return self?.work.kind === 'tool' ? (self as RunSelf & { work: { kind: 'tool' } }) : undefined;
}

/** The step of such a run; its call is still to be made. */
export function beginStep(cx: Cx, turnId: string): ActiveTurn {
  const at = iso(cx.now);
  const turn: ActiveTurn = {
    turnId,
    origin: 'user',
    inputs: [],
    queuedAt: at,
    startedAt: at,
    usage: noUsage(),
    keys: [],
    cost: 0,
    // Its ceiling is that of the run.
    deadline: Number.MAX_SAFE_INTEGER,
    step: 1,
    attempt: 1,
    losses: 0,
    failures: 0,
    phase: 'tools',
    parts: [],
    calls: [],
    stepsDone: 0,
    runsStarted: 0,
  };
  cx.state.turn = turn;
  return turn;
}

/** The call has its answer, which is the outcome of the run. */
export function endWithAnswer({ state }: Cx, self: RunSelf, outcome: CallAnswer): void {
  state.turn = null;
  if (self.end.is !== 'working') return;
  decide(
    self,
    'output' in outcome
      ? { status: 'completed', result: outcome.output }
      : {
          status: 'failed',
          reason: 'agent_error',
          error: outcome.error ?? errorIn(outcome.errorText),
        },
  );
}

/** The run is cancelled: what is in flight is aborted, and nobody is asked any more. */
export function abortStep(cx: Cx, turn: ActiveTurn): void {
  if (isInFlight(turn)) cx.effects.push({ do: 'abort-step' });
  withdraw(cx, turn.turnId);
  cx.state.turn = null;
}

/** What is said to a model as `<type>: <sentence>`. */
function errorIn(text: string): { type: string; message: string } {
  const [, type = 'Error', message = text] = /^([A-Z]\w+): (.*)$/su.exec(text) ?? [];
  return { type, message };
}
