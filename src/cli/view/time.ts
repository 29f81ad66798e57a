/** Times as people read them: how long something takes, and when it was. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const two = (n: number): string => String(n).padStart(2, '0');

/** A duration in at most two units: `12 s`, `1 min 05 s`, `2 h 03 min`, `3 d 4 h`. Nothing for what is no number. */
export function duration(ms: number): string {
  if (Number.isNaN(ms)) return '';
  const left = Math.max(0, Math.floor(ms / SECOND) * SECOND);
  if (left < MINUTE) return `${left / SECOND} s`;
  if (left < HOUR) return `${Math.floor(left / MINUTE)} min ${two((left % MINUTE) / SECOND)} s`;
  if (left < DAY) return `${Math.floor(left / HOUR)} h ${two(Math.floor((left % HOUR) / MINUTE))} min`;
  return `${Math.floor(left / DAY)} d ${Math.floor((left % DAY) / HOUR)} h`;
}

/** From one instant to another, or to now. */
export function between(from: string | undefined, to: string | number | undefined): string {
  if (from === undefined || to === undefined) return '';
  return duration((typeof to === 'number' ? to : Date.parse(to)) - Date.parse(from));
}

/** Time of the day, UTC, of an ISO instant; spaces for anything else. */
export function clock(at: string): string {
  return /^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)/u.exec(at)?.[1] ?? '        ';
}
