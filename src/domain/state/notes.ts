/** In a run: how far it has read what its parent has sent, which the parent is told. */
import type { State } from './state.ts';

/** The notes up to a number were read. */
export function haveRead({ self, outbox }: State, n: number): void {
  if (self === undefined || n <= self.notes.read) return;
  self.notes.read = n;
  if (self.parentGone !== true) outbox.put({ lane: 'read' });
}
