/** Milestones of this run: told to the parent as signals, at most one outstanding, each with all since the last. */
import { fitting } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { MAX_MILESTONES, MESSAGE_BYTES } from '../state/sizes.ts';
import { iso, type Cx, type RunSelf } from '../state/state.ts';
import { refuse, type Json, type Progress, type Refusal } from '../state/types.ts';

/** Records a milestone, with the progress that the task had reported by then. */
export function ownMilestone(
  cx: Cx,
  name: string,
  data: Json | undefined,
  progress?: Progress,
): { n: number } | Refusal {
  const { self } = cx.state;
  if (self === undefined || self.settled === true)
    return refuse('RunSettled', 'Expected a running run, got one that has settled.');
  const n = (self.milestones.at(-1)?.n ?? 0) + 1;
  if (n > MAX_MILESTONES)
    return refuse('InvalidInput', `Expected at most ${MAX_MILESTONES} milestones in a run, got one more.`);
  self.movedAt = cx.now;
  if (progress !== undefined && progress.n > (self.progress?.n ?? 0)) self.progress = progress;
  self.milestones.push({ n, name, at: iso(cx.now), ...(data === undefined ? {} : { data }) });
  emit(cx, 'run.milestone', { n, name, data });
  tellMilestones(cx, self);
  return { n };
}

export function milestonesTold(cx: Cx, n: number): void {
  const { self } = cx.state;
  if (self === undefined) return;
  delete self.telling;
  self.told = Math.max(self.told, n);
  tellMilestones(cx, self);
}

function tellMilestones(cx: Cx, self: RunSelf): void {
  const untold = self.milestones.filter((one) => one.n > self.told);
  if (self.telling === true || self.parentGone === true || self.settled === true || untold.length === 0) return;
  self.telling = true;
  cx.effects.push({
    do: 'tell-milestones',
    milestones: fitting(untold, MESSAGE_BYTES),
    ...(self.progress === undefined ? {} : { progress: self.progress }),
  });
}
