/** The sentences of the demo model. It never claims to be more than a script. */
import { count, writer } from '../page/format.ts';
import { shown } from '../page/html.ts';
import { reasonText } from '../page/quality.ts';
import type { Job } from './jobs.ts';
import { fields, type Call, type Fields, type Frame } from '../../../src/testing/model/prompt.ts';

/** Shown wherever the model is named. */
export const DEMO_SENTENCE = 'demo model: scripted, no key needed';

export function waiting(job: Job): string {
  return (
    `The page is laid out and the queries are ready. ${job.file} is still being loaded (${job.runId ?? 'no run'}); ` +
    'I end my turn here and finish the dashboard when the import reports back.'
  );
}

export function failedTool({ name, error = '' }: Call): string {
  return `${name} did not work: ${sentence(error)} I stop here.`;
}

/** An error's message as a sentence, without its type when that says nothing. */
function sentence(error: string): string {
  const text = shown(error.replace(/^Error: /, ''), 400);
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** What is said about a report that is not a finished import. */
export function outcomeText({ status, body, agent, id }: Frame, job: Job | undefined): string {
  if (!job)
    return `Background run ${id} (${agent}) reported "${status}". No dashboard waits for it, so I leave it alone.`;
  const error = fields(body['error']);
  const reason = typeof body['reason'] === 'string' ? ` (${body['reason']})` : '';
  const again = 'The page stays without numbers. Ask again to have it tried once more.';
  switch (status) {
    case 'failed':
      return `Loading ${job.file} failed: ${sentence(said(error['message'], 'no reason was given'))} ${again}`;
    case 'cancelled':
      return `Loading ${job.file} was cancelled${reason}. ${again}`;
    case 'interrupted':
      return `The import of ${job.file} was given up${reason}. If it reports after all, I finish the dashboard then; otherwise ask again.`;
    case 'running':
      return `The import of ${job.file} reached "${said(fields(body['milestone'])['name'], 'a milestone')}".`;
    default:
      return `The import of ${job.file} reported "${status.slice(0, 40)}".`;
  }
}

/** The last words: real figures, from the answer of `run_queries`. */
export function summary(job: Job, result: Fields, queried: Call | undefined): string {
  const { rows, rejectedRows, rejected: reasons, encoding, range, charts } = queried?.result ?? {};
  const loaded = Number(rows ?? result['rows']);
  if (loaded === 0) return nothingLoaded(job, Number(rejectedRows), Array.isArray(reasons) ? reasons.map(fields) : []);
  const { first, last } = fields(range);
  const span = typeof first === 'string' && typeof last === 'string' ? ` from ${first} to ${last}` : '';
  const rejected =
    Number(rejectedRows) > 0
      ? `${count(Number(rejectedRows))} could not be read and are listed with their reasons`
      : 'every row could be read';
  // What is no guess needs no word.
  const readAs = typeof encoding === 'string' && encoding !== 'UTF-8' ? `, read as ${shown(encoding)}` : '';
  const found = (Array.isArray(charts) ? charts : []).map(fields);
  const figures = found
    .filter(({ kind, aggregate }) => kind === 'number' && aggregate !== 'count')
    .map((chart) => `${titleOf(chart)}: ${top(chart)?.value ?? '–'}`);
  const bar = found.find(({ kind }) => kind === 'bar');
  const best = bar ? top(bar) : undefined;
  return [
    `The dashboard is ready: ${job.page}. It shows ${rowsText(loaded)} of ${job.file}${span}${readAs}; ${rejected}.`,
    figures.length > 0 ? `${figures.join(', ')}.` : '',
    bar && best ? `${titleOf(bar)}: ${best.label} leads with ${best.value}.` : '',
  ]
    .filter((line) => line !== '')
    .join(' ');
}

function nothingLoaded(job: Job, rejectedRows: number, reasons: readonly Fields[]): string {
  if (!(rejectedRows > 0))
    return `${job.file} has a header and no rows, so there is nothing to show; ${job.page} says so.`;
  const why = reasons.map(
    ({ reason, rows }) => `${reasonText(said(reason, '')).toLowerCase()}: ${count(Number(rows))}`,
  );
  return `No row of ${job.file} could be loaded, ${rowsText(rejectedRows)} had to be rejected (${why.join('; ')}); ${job.page} says so and shows no figures.`;
}

function titleOf(chart: Fields): string {
  return shown(said(chart['title'], ''), 120);
}

/** `1 row`, `79,535 rows`. */
export function rowsText(rows: number): string {
  return `${count(rows)} ${rows === 1 ? 'row' : 'rows'}`;
}

function said(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function top(chart: Fields): { label: string; value: string } | undefined {
  const first = fields((Array.isArray(chart['top']) ? chart['top'] : [])[0]);
  return typeof first['value'] === 'number'
    ? { label: shown(String(first['label'])), value: writer([first['value']]).exact(first['value']) }
    : undefined;
}

export function answerOther(jobs: readonly Job[]): string {
  const open = jobs.findLast(
    ({ runId, frames }) => runId !== undefined && !frames.some(({ status }) => status !== 'running'),
  );
  const state = open ? ` ${open.file} is still being loaded (${open.runId}).` : '';
  return `I am a scripted demo model and know one job: "Load orders.csv and build me a dashboard." works with any CSV file.${state}`;
}
