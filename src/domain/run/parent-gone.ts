/** The parent is gone: nobody hears this run any more, it goes on and keeps its ceiling. */
import { parentClosed } from './requests.ts';
import { TO_PARENT } from '../state/outbox.ts';
import type { Cx } from '../state/state.ts';
import { refuse, type Refusal } from '../state/types.ts';

export function parentGone(cx: Cx, epoch: string): Refusal | undefined {
  const { self, outbox } = cx.state;
  if (self === undefined || epoch !== self.parent.epoch)
    return refuse('InvalidInput', 'Expected epoch to be that of the parent, got another.');
  self.parentGone = true;
  for (const lane of TO_PARENT) outbox.dropLane(lane);
  parentClosed(cx);
  return undefined;
}
