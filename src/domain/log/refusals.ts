/** Signals that are refused leave the session untouched and one event; a flood leaves one event a minute with its count. */
import { emit } from './events.ts';
import { isOver, type Cx, type State } from '../state/state.ts';

const WINDOW_MS = 60_000;
const MOST = 100;
const ECHO_CHARS = 200;

/** Records `input.refused`. After a hundred in a minute the rest are counted and told with the first of the next minute. */
export function recordRefusal(cx: Cx, name: string, message: string): void {
  const { refusals } = cx.state;
  if (isOver(cx.state)) return;
  if (cx.now - refusals.since >= WINDOW_MS) {
    flushRefusals(cx);
    refusals.since = cx.now;
    refusals.count = 0;
  }
  refusals.count += 1;
  if (refusals.count <= MOST) emit(cx, 'input.refused', { name: echo(name), message });
  else refusals.suppressed += 1;
}

/** When what was suppressed is to be told, milliseconds; nothing when nothing was. */
export function refusalsDue({ refusals }: State): number | undefined {
  return refusals.suppressed === 0 ? undefined : refusals.since + WINDOW_MS;
}

/** Tells what was suppressed: when its minute is over, or before the session continues or closes. */
export function flushRefusals(cx: Cx): void {
  const { refusals } = cx.state;
  if (refusals.suppressed === 0 || isOver(cx.state)) return;
  emit(cx, 'input.refused', {
    name: '',
    message: `${refusals.suppressed} more inputs were refused.`,
    suppressed: refusals.suppressed,
  });
  refusals.suppressed = 0;
}

/** What came, cut to what an event may repeat of it. */
export function echo(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
  return text.length > ECHO_CHARS ? `${text.slice(0, ECHO_CHARS - 1).toWellFormed()}…` : text;
}
