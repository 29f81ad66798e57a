/** What a run says to the workflow that started it, and whether that is still there to hear it. */
import { milestonesTold } from '../src/domain/run/own-milestones.ts';
import { requestTold } from '../src/domain/run/requests.ts';
import { readTold } from '../src/domain/run/to-runs.ts';
import { cancelSelf, parentGone } from '../src/domain/self/self.ts';
import type { Cx, EffectOf, State } from '../src/domain/state/state.ts';
import { foundWorkflow } from '../src/schemas/index.ts';
import { answered } from './answered.ts';
import { untilDone } from './proxies.ts';
import { ALWAYS, send } from './send.ts';
import type { Stage } from './stage.ts';

export async function tellMilestones(
  stage: Stage,
  { milestones, progress }: EffectOf<'tell-milestones'>,
): Promise<void> {
  await tell(stage, 'runMilestones', { milestones, ...(progress === undefined ? {} : { progress }) }, (cx) =>
    milestonesTold(cx, milestones.at(-1)?.n ?? 0),
  );
}

export async function tellRead(stage: Stage, { n }: EffectOf<'tell-read'>): Promise<void> {
  await tell(stage, 'runMessagesRead', { n }, (cx) => readTold(cx, n));
}

export async function tellRequest(stage: Stage, { request }: EffectOf<'tell-request'>): Promise<void> {
  await tell(stage, 'runRequest', { request }, requestTold);
}

async function tell(stage: Stage, name: string, about: object, told: (cx: Cx) => void): Promise<void> {
  const { self } = stage.state;
  if (self === undefined) return;
  const { workflowId, epoch } = self.parent;
  const sent = await send(stage, workflowId, name, { runId: self.runId, epoch, ...about }, ALWAYS);
  stage.dispatch((cx) => {
    if (sent === 'gone') parentGone(cx, epoch);
    else told(cx);
  });
}

/** At its own ceiling a run looks whether its parent is there to give up on it; if not, it keeps the ceiling itself. */
export async function checkParent(stage: Stage, { why }: EffectOf<'check-parent'>): Promise<void> {
  if (await isParentThere(stage.state)) return;
  const { self } = stage.state;
  if (self === undefined) return;
  stage.dispatch((cx) => {
    parentGone(cx, self.parent.epoch);
    if (why === 'ceiling' && self.onBudget === 'cancel') cancelSelf(cx, 'cancelled_by_budget', undefined, true);
  });
}

/** True when the workflow that started this run is still there to hear it. */
export async function isParentThere({ self }: State): Promise<boolean> {
  if (self === undefined || self.parentGone === true) return false;
  const { workflowId, epoch } = self.parent;
  const look = untilDone('is the parent there');
  const { found } = await answered(async () => look.lookAtWorkflow({ v: 1, workflowId }), foundWorkflow);
  return found !== undefined && found.open && found.epoch === epoch;
}
