/** What has been asked for in a conversation, and how far each of it is. */
import { basename, extname } from 'node:path';
import { parsed, type Call, type Conversation, type Fields, type Frame } from '../../../src/testing/model/prompt.ts';

/** One dashboard that was asked for. */
export interface Job {
  /** Where in the prompt it was asked for. */
  at: number;
  file: string;
  title: string;
  page: string;
  /** The result of `load_data` that the user gave along. */
  given?: Fields;
  /** The call of `start_run`, if it was made. */
  start?: Call;
  runId?: string;
  /** The reports of its run, in order. */
  frames: Frame[];
}

// A name in quotes; else what stands before "and build", be there spaces in it; else the first word that looks like a file.
const LOAD =
  /\bload\s+(?:the\s+file\s+)?(?:"([^"\n]+)"|'([^'\n]+)'|`([^`\n]+)`|(\S[^\n]*?\.\w{1,8})\s+and\s+build\b|(?:[^\n.]*?\s)??([^\s,;:]+\.(?:csv|tsv|txt))\b)/i;
const LOADED = /\bdata of ["'`]?([^\n]+?)["'`]? is already loaded \(result: (\{[\s\S]*\})\)/i;

export function readJobs({ asked, frames, calls }: Conversation): Job[] {
  const jobs: Job[] = [];
  for (const { at, text } of asked) {
    if (!/\bdashboard\b/i.test(text)) continue;
    const loaded = LOADED.exec(text);
    const file = loaded?.[1] ?? nameIn(text);
    if (file === undefined) continue;
    const start = calls.find(
      (call) =>
        call.at > at &&
        call.name === 'start_run' &&
        call.input['agent'] === 'load_data' &&
        !jobs.some((job) => job.start === call),
    );
    const next = asked.find((other) => other.at > at)?.at ?? Infinity;
    const own = start !== undefined && start.at < next ? start : undefined;
    const runId = typeof own?.result?.['runId'] === 'string' ? own.result['runId'] : undefined;
    const files = [...new Set([...jobs.map((job) => job.file), file])];
    const nth = files.indexOf(file) + 1;
    const stem = basename(file, extname(file));
    jobs.push({
      at,
      file,
      title: `${stem.slice(0, 1).toUpperCase()}${stem.slice(1, 80)} at a glance`,
      page: nth === 1 ? 'dashboard.html' : `dashboard-${nth}.html`,
      frames: runId === undefined ? [] : frames.filter((frame) => frame.id === runId),
      ...(loaded?.[2] === undefined ? {} : { given: parsed(loaded[2]) }),
      ...(own ? { start: own } : {}),
      ...(runId === undefined ? {} : { runId }),
    });
  }
  return jobs;
}

function nameIn(text: string): string | undefined {
  const [, double, single, tick, before, word] = LOAD.exec(text.slice(0, 2000)) ?? [];
  // "load the data from orders.csv and build" names one file of one word.
  return double ?? single ?? tick ?? before?.replace(/^.*\s(?:from|of|in|file)\s+(?=\S+$)/i, '') ?? word;
}

/** The result of `load_data` that a job can be finished with. */
export function resultOf(job: Job): Fields | undefined {
  if (job.given) return job.given;
  const done = job.frames.findLast(({ status, body }) => status === 'completed' && 'result' in body);
  const result = done?.body['result'];
  return typeof result === 'object' && result !== null ? (result as Fields) : undefined;
}

/** Whether a job came to an end without a dashboard, so that it may be asked for again. */
export function broken(job: Job): boolean {
  const last = job.frames.findLast(({ status }) => status !== 'running');
  return job.start?.error !== undefined || (last !== undefined && last.status !== 'completed');
}

/** The last call of a tool that did what it should for a job. */
export function done(job: Job, calls: readonly Call[], name: string): Call | undefined {
  return calls.findLast(
    (call) => call.at > job.at && call.name === name && call.result !== undefined && belongs(job, call),
  );
}

/** A call is a job's when it names its file, its page or its database. */
function belongs(job: Job, { name, input }: Call): boolean {
  switch (name) {
    case 'inspect_file':
    case 'design_queries':
      return input['file'] === job.file;
    case 'write_page':
    case 'finish_page':
      return input['page'] === job.page;
    case 'run_queries':
      return input['database'] === resultOf(job)?.['database'];
    default:
      return false;
  }
}
