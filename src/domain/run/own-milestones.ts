/** Milestones of this run: told to the parent as signals, at most one outstanding, each with all since the last. */
import { refuse, type Json, type Milestone, type Progress, type Refusal } from '../state/types.ts';
import { hasSettled, type RunSelf } from '../state/self.ts';
import { fitting } from '../state/json.ts';
import { emit } from '../log/events.ts';
import { MAX_MILESTONES, MESSAGE_BYTES } from '../state/sizes.ts';
import { iso, type Cx } from '../state/state.ts';

/** Records a milestone, with the progress that the task had reported by then. */
export function ownMilestone(
  cx: Cx,
  name: string,
  data: Json | undefined,
  progress?: Progress,
): { n: number } | Refusal {
  const { self } = cx.state;
  if (self === undefined || hasSettled(self))
    return refuse('RunSettled', 'Expected a running run, got one that has settled.');
  const n = (self.milestones.at(-1)?.n ?? 0) + 1;
  if (n > MAX_MILESTONES)
    return refuse('InvalidInput', `Expected at most ${MAX_MILESTONES} milestones in a run, got one more.`);
  self.movedAt = cx.now;
  if (progress !== undefined && progress.n > (self.progress?.n ?? 0)) self.progress = progress;
  self.milestones.push({ n, name, at: iso(cx.now), ...(data === undefined ? {} : { data }) });
  emit(cx, 'run.milestone', { n, name, data });
  if (self.parentGone !== true) cx.state.outbox.put({ lane: 'milestones' });
  return { n };
}

/** The milestones that the parent does not know yet, as many as one message takes. */
export function untoldMilestones({ milestones, told }: RunSelf): Milestone[] {
  return fitting(
    milestones.filter((one) => one.n > told),
    MESSAGE_BYTES,
  );
}
