/** Dates as people write them, as ISO text: `YYYY-MM-DD`, or with the time where the cell has one (`Z` where it names a zone). */
export type DateOrder = 'dmy' | 'mdy';

const TIME = String.raw`(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?`;
const ISO = new RegExp(String.raw`^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})${TIME}$`);
const NUMERIC = new RegExp(String.raw`^(\d{1,2})([-/.])(\d{1,2})\2(\d{4})${TIME}$`);
const MONTH_FIRST = new RegExp(String.raw`^([A-Za-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})${TIME}$`);
const DAY_FIRST = new RegExp(String.raw`^(\d{1,2})\.?[\s-]+([A-Za-z]{3,9})\.?,?[\s-]+(\d{4})${TIME}$`);
const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];

/** The date that a cell holds as ISO text, or nothing. `order` is how the column writes `04/03/2026`. */
export function parseDate(cell: string, order: DateOrder): string | undefined {
  if (cell.length < 8 || cell.length > 40) return undefined;
  let m = ISO.exec(cell);
  if (m) return iso(m[1], m[3], m[4], m.slice(5));
  m = NUMERIC.exec(cell);
  if (m) return order === 'dmy' ? iso(m[4], m[3], m[1], m.slice(5)) : iso(m[4], m[1], m[3], m.slice(5));
  m = MONTH_FIRST.exec(cell);
  if (m) return iso(m[3], month(m[1]), m[2], m.slice(4));
  m = DAY_FIRST.exec(cell);
  return m ? iso(m[3], month(m[2]), m[1], m.slice(4)) : undefined;
}

/** What a cell says about its column's order: `1` for day first, `-1` for month first, `0` for nothing. */
export function orderEvidence(cell: string): -1 | 0 | 1 {
  const m = NUMERIC.exec(cell);
  if (!m) return 0;
  const [first, second] = [Number(m[1]), Number(m[3])];
  if (first > 12 && second <= 12) return 1;
  return second > 12 && first <= 12 ? -1 : 0;
}

function month(name: string | undefined): string {
  const wanted = (name ?? '').toLowerCase();
  return String(
    MONTHS.findIndex(
      (one) => one === wanted || one.slice(0, 3) === wanted || (wanted === 'sept' && one === 'september'),
    ) + 1,
  );
}

function iso(
  year: string | undefined,
  monthOf: string | undefined,
  day: string | undefined,
  time: (string | undefined)[],
): string | undefined {
  const [y, mo, d] = [Number(year), Number(monthOf), Number(day)];
  if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > new Date(Date.UTC((y % 400) + 2000, mo, 0)).getUTCDate())
    return undefined;
  const date = `${String(y).padStart(4, '0')}-${pad(mo)}-${pad(d)}`;
  const [hours, minutes, seconds = '00', zone] = time;
  if (hours === undefined || minutes === undefined) return date;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const local = `${date}T${hours.padStart(2, '0')}:${minutes}:${seconds}`;
  if (zone === undefined) return local;
  const at = new Date(`${local}${zone === 'Z' || zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`}`);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString().replace('.000Z', 'Z');
}

function pad(n: number): string {
  return String(n).padStart(2, '0');
}
