/** Whether the workflow that started this run is still there to hear it. */
import { parentGone } from '../src/domain/run/parent-gone.ts';
import { cancelSelf } from '../src/domain/self/self.ts';
import type { EffectOf } from '../src/domain/state/effects.ts';
import type { State } from '../src/domain/state/state.ts';
import { foundWorkflow } from '../src/schemas/index.ts';
import { answeredSoon } from './answered.ts';
import { aFewTimes } from './proxies.ts';
import type { Stage } from './stage.ts';

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

/** True when the workflow that started this run is still there to hear it, or when that cannot be found out. */
export async function isParentThere({ self }: State): Promise<boolean> {
  if (self === undefined || self.parentGone === true) return false;
  const { workflowId, epoch } = self.parent;
  const look = aFewTimes('is the parent there');
  const seen = await answeredSoon(async () => look.lookAtWorkflow({ v: 1, workflowId }), foundWorkflow);
  if (seen === undefined) return true;
  return seen.found !== undefined && seen.found.open && seen.found.epoch === epoch;
}
