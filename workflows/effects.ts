/**
 * Performs what the domain asks for, by a table. Each effect is under way on its own; what becomes of it goes back as an input of the
 * domain, also what fails.
 */
import { isCancellation } from '@temporalio/workflow';
import { handlerAborted, handlerDone, handlerFailed, handlerUnknown } from '../src/domain/run/handlers.ts';
import { workflowIdOfTarget } from '../src/domain/state/ids.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import type { Effect, EffectOf } from '../src/domain/state/effects.ts';
import { nameOfHandler } from '../src/domain/state/outbox.ts';
import { letterSent } from '../src/domain/run/outbox.ts';
import { rowView } from '../src/domain/view/queries.ts';
import { doneSoon } from './answered.ts';
import { cancelChild, look, start, tellGone, terminate } from './children.ts';
import { failureOf, isHandedBack, isKnownNowhere, unknownHere } from './failures.ts';
import { checkParent } from './parent.ts';
import { aFewTimes, handler as callHandler } from './proxies.ts';
import { FEW, ONCE, send } from './send.ts';
import type { Stage } from './stage.ts';
import { model, runTask, runWorkflow, tool } from './steps.ts';

/** `steps` and `errands` are waited for, each in its way; what is under way as nothing is not. */
type Performers = {
  [D in Effect['do']]: {
    as: 'steps' | 'errands' | 'nothing';
    perform: (stage: Stage, effect: EffectOf<D>) => Promise<unknown> | void;
  };
};

const PERFORMERS: Performers = {
  model: { as: 'steps', perform: model },
  tool: { as: 'steps', perform: tool },
  task: { as: 'steps', perform: runTask },
  workflow: { as: 'steps', perform: runWorkflow },
  'abort-step': { as: 'nothing', perform: ({ scopes }) => scopes.abortSteps() },
  'cancel-task': { as: 'nothing', perform: ({ scopes }) => scopes.abortSteps() },
  start: { as: 'errands', perform: start },
  'cancel-run': { as: 'errands', perform: cancelChild },
  terminate: { as: 'errands', perform: terminate },
  look: { as: 'errands', perform: look },
  handler: { as: 'errands', perform: handler },
  'tell-gone': { as: 'nothing', perform: tellGone },
  tell: { as: 'errands', perform: tell },
  'check-parent': { as: 'errands', perform: checkParent },
  'answer-gone': {
    as: 'errands',
    perform: async (stage, { workflowId, epoch }) => send(stage, workflowId, 'parentGone', { epoch }, ONCE),
  },
  'refuse-request': {
    as: 'errands',
    perform: async (stage, { workflowId, requestId }) => send(stage, workflowId, 'requestRefused', { requestId }, FEW),
  },
  'terminate-workflow': {
    as: 'errands',
    perform: async ({ state }) => {
      const workflowId = workflowIdOfTarget(state.workflowId);
      const end = aFewTimes('end the workflow');
      return doneSoon(async () => end.terminateRun({ v: 1, workflowId, epoch: '', reason: 'The run was cancelled.' }));
    },
  },
};

/** Starts an effect. */
export function perform<D extends Effect['do']>(stage: Stage, effect: EffectOf<D>): void {
  const { as, perform: start } = PERFORMERS[effect.do];
  const work = start(stage, effect);
  if (work !== undefined && as !== 'nothing') stage.scopes.track(as, work);
}

/** Tells what has left the outbox. */
async function tell(stage: Stage, { key, letter }: EffectOf<'tell'>): Promise<void> {
  const outcome = await send(stage, letter.workflowId, letter.name, letter.message, ONCE);
  stage.dispatch((cx) => letterSent(cx, key, letter, outcome));
}

async function handler(stage: Stage, effect: EffectOf<'handler'>): Promise<void> {
  const { key, call, idempotencyKey, attempt } = effect;
  const row = stage.state.runs.peek(call.runId);
  const { result, ...run } = row === undefined ? { result: undefined } : rowView(row, true);
  const about = { run, ...(call.kind === 'finish' && result !== undefined ? { result } : {}) };
  const room = stage.outgoing.admit(jsonBytes(about));
  if (room !== undefined) await room;
  if (stage.isHandingOver) {
    stage.dispatch((cx) => handlerAborted(cx, key));
    return;
  }
  const invoke = callHandler(`handler: ${nameOfHandler(call)}${attempt > 1 ? `, attempt ${attempt}` : ''}`);
  try {
    await stage.scopes.within('handler', async () =>
      invoke.handler({ v: 1, handler: call.handler, key: idempotencyKey, kind: call.kind, ...about }),
    );
  } catch (error) {
    const unknown = unknownHere(error);
    stage.dispatch((cx) => {
      if (isCancellation(error) || isHandedBack(error)) handlerAborted(cx, key);
      else if (unknown !== undefined) handlerUnknown(cx, key, unknown);
      else handlerFailed(cx, key, failureOf(error), isKnownNowhere(error));
    });
    return;
  }
  stage.dispatch((cx) => handlerDone(cx, key));
}
