/** The script of the demo model: what it says and calls next, decided by nothing but the prompt. */
import type { LanguageModelV4Prompt } from '@ai-sdk/provider';
import type { InspectedColumn } from '../roles.ts';
import { chooseCharts } from './choose-charts.ts';
import { broken, done, readJobs, resultOf, type Job } from './jobs.ts';
import { readPrompt, type Call, type Conversation, type Fields } from '../../../src/testing/model/prompt.ts';
import { answerOther, failedTool, outcomeText, rowsText, summary, waiting } from './lines.ts';

export interface Reply {
  reasoning?: string;
  text: string;
  call?: { name: string; input: Fields };
}

/** The one answer to a prompt. */
export function reply(prompt: LanguageModelV4Prompt): Reply {
  const conversation = readPrompt(prompt);
  const { turn, calls } = conversation;
  const failed = calls.find(({ at, error }) => at > turn && error !== undefined);
  if (failed) return { text: failedTool(failed) };
  const jobs = readJobs(conversation);
  const asked = jobs.findLast(({ at }) => at >= turn);
  return asked ? answerAsk(asked, jobs, conversation) : answerReports(jobs, conversation);
}

function answerAsk(job: Job, jobs: readonly Job[], conversation: Conversation): Reply {
  const before = jobs.some((one) => one.file === job.file && one.at < job.at && !broken(one));
  const begun = conversation.calls.some((call) => call.at > conversation.turn);
  if (before && !begun) {
    return {
      text: `${job.file} was asked for before in this session, and this script does each file once. Open a new session, or ask for another file.`,
    };
  }
  return job.given ? build(job, conversation) : begin(job, conversation);
}

/** Finishes what has completed; everything else that came in is answered in words. */
function answerReports(jobs: readonly Job[], conversation: Conversation): Reply {
  const { turn, frames, asked } = conversation;
  const lines: string[] = [];
  for (const frame of frames.filter(({ at }) => at >= turn)) {
    const job = jobs.find(({ runId }) => runId === frame.id);
    if (!job || frame.status !== 'completed') {
      lines.push(outcomeText(frame, job));
      continue;
    }
    const step = build(job, conversation);
    if (step.call) return step;
    lines.push(step.text);
  }
  if (lines.length === 0 || asked.some(({ at }) => at >= turn)) lines.push(answerOther(jobs));
  return { text: lines.join('\n\n') };
}

/** The first turn: the import goes off, and everything that does not need it is done meanwhile. */
function begin(job: Job, { calls }: Conversation): Reply {
  if (!job.start) {
    return {
      reasoning: `The file has to be loaded before there is a number to show. That takes a while and needs nobody to watch it, so it goes into the background first.`,
      text: `I start loading ${job.file} in the background and prepare the dashboard meanwhile.`,
      call: {
        name: 'start_run',
        input: { agent: 'load_data', input: { file: job.file }, label: job.file.slice(-200) },
      },
    };
  }
  return prepare(job, calls) ?? { text: waiting(job) };
}

/** Looking at the columns, choosing charts, writing the page: what can be done without the data. */
function prepare(job: Job, calls: readonly Call[]): Reply | undefined {
  const inspected = done(job, calls, 'inspect_file');
  if (!inspected) {
    const runs = job.runId === undefined ? '' : `The import runs as ${job.runId}. `;
    return {
      text: `${runs}First I look at what columns the file has.`,
      call: { name: 'inspect_file', input: { file: job.file } },
    };
  }
  const columns = (inspected.result?.['columns'] ?? []) as InspectedColumn[];
  if (!done(job, calls, 'design_queries')) {
    const named = (role: string): string =>
      columns
        .filter((column) => column.role === role)
        .slice(0, 5)
        .map(({ name }) => name)
        .join(', ') || 'none';
    return {
      reasoning: `Numbers to add up: ${named('measure')}. To group by: ${named('dimension')}. Dates: ${named('date')}.`,
      text:
        `${columns.length} columns. To measure: ${named('measure')}. To group by: ${named('dimension')}. Over time: ${named('date')}. ` +
        'I design the charts for these and have them checked against the file.',
      call: { name: 'design_queries', input: { file: job.file, charts: chooseCharts(columns) } },
    };
  }
  if (!done(job, calls, 'write_page')) {
    return {
      text: 'The charts fit the columns. I write the page now, with a place for each of them; the numbers follow when the data is there.',
      call: {
        name: 'write_page',
        input: { title: job.title, file: job.file, charts: chooseCharts(columns), page: job.page },
      },
    };
  }
  return undefined;
}

/** With the data there: what is still to prepare, the queries, the finished page. */
function build(job: Job, { calls, turn }: Conversation): Reply {
  const result = resultOf(job);
  if (typeof result?.['database'] !== 'string')
    return { text: `The result of loading ${job.file} does not name a database, so I cannot query it.` };
  const finished = done(job, calls, 'finish_page');
  if (finished) {
    if (finished.at < turn)
      return { text: `The dashboard of ${job.file} was finished before; there is nothing left to do.` };
    return { text: summary(job, result, done(job, calls, 'run_queries')) };
  }
  const next = prepare(job, calls);
  if (next) return next;
  const queried = done(job, calls, 'run_queries');
  if (!queried) {
    return {
      text: `${job.file} is loaded: ${rowsText(Number(result['rows']))}. I run the queries.`,
      call: {
        name: 'run_queries',
        input: { database: result['database'], charts: done(job, calls, 'design_queries')?.input['charts'] },
      },
    };
  }
  return {
    text: 'The figures are there. I put them into the page.',
    call: { name: 'finish_page', input: { title: job.title, figures: queried.result?.['figures'], page: job.page } },
  };
}
