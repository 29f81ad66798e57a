/** The turns that have ended: the last hundred are kept whole, of all others the dedupe record keeps how they ended. */
import { rememberEnd } from '../log/dedupe.ts';
import { KEPT_TURNS } from '../state/sizes.ts';
import type { Cx } from '../state/state.ts';
import type { PastTurn } from '../state/turn.ts';

/** Keeps an ended turn among the last hundred and its end in the dedupe record. */
export function keepEnded(cx: Cx, ended: PastTurn & { keys: string[] }): void {
  const { keys, ...past } = ended;
  for (const entry of keys) rememberEnd(cx.state.dedupe, entry, past.status);
  cx.state.past.push(past);
  if (cx.state.past.length > KEPT_TURNS) cx.state.past.splice(0, cx.state.past.length - KEPT_TURNS);
}
