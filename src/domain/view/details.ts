/**
 * The session as a page for Temporal's Web UI: its workflow's "current details", in Markdown. A pure function of what readers
 * see, in absolute times, because Temporal shows the page as it was when the session last decided something.
 *
 * Invariant: everything from outside is escaped, and the page is cut at whole lines, so that it is valid Markdown of at most
 * 20,000 bytes whatever it is given.
 */
import { utf8Length } from '../state/json.ts';
import { cutBytes, escapeMarkdown, truncate } from '../state/text.ts';
import type { Row, RunStatus, SessionSnapshot } from '../state/types.ts';

const MOST_BYTES = 20_000;
/** For all but the table of runs: reached only by ids and titles longer than the contract allows. */
const MOST_HEAD_BYTES = 9000;
/** For the lines after the table. */
const REST_BYTES = 200;
const MOST_LISTED = 10;
const BAR = 10;
const SUMMARY_BYTES = 200;

type Shown = Omit<SessionSnapshot, 'now'>;

/** The page, at most 20,000 bytes. Live runs come first, then the latest of the others. `now` says of when it is. */
export function sessionDetails(snapshot: Shown, rows: readonly Row[], now?: number): string {
  const lines = within(MOST_HEAD_BYTES, [
    ...heading(snapshot),
    ...queue(snapshot),
    ...requests(snapshot),
    ...totals(snapshot, now),
  ]);
  const live = rows.filter(isLive);
  const ordered = [...live, ...rows.filter((row) => !isLive(row)).toReversed()];
  const table = within(MOST_BYTES - REST_BYTES - bytesOf(lines), [...TABLE, ...ordered.map(tableRow)]);
  const shown = Math.max(0, table.length - TABLE.length);
  const known = Object.values(snapshot.runs).reduce((sum, count) => sum + count, 0);
  const more = Math.max(known, rows.length) - shown;
  if (shown > 0) lines.push(...table);
  if (more > 0) lines.push('', `… ${more} more ${more === 1 ? 'run' : 'runs'}`);
  return lines.join('\n');
}

/** What lists of workflows show beside a run: Temporal takes 400 bytes, and shows some of them as Markdown. */
export function runSummary(agent: string, label?: string): string {
  const summary = escapeMarkdown(label === undefined ? agent : `${agent} · ${label}`);
  return cutBytes(summary, SUMMARY_BYTES).replace(/&#?\d*…$/u, '…');
}

function bytesOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + utf8Length(line) + 1, 0);
}

/** The first lines, as many as fit. */
function within(most: number, lines: readonly string[]): string[] {
  let bytes = 0;
  const end = lines.findIndex((line) => (bytes += utf8Length(line) + 1) > most);
  return end === -1 ? lines.slice() : lines.slice(0, end);
}

function cell(text: string, most = 80): string {
  return escapeMarkdown(truncate(text, most));
}

function instant(at: string): string {
  return cell(at.replace(/\.\d+Z$/u, 'Z'), 30);
}

function heading({ status, agent, title, turn }: Shown): string[] {
  const lines = [
    `**${cell(status)}** · agent ${cell(agent)}${title === undefined ? '' : ` · ${cell(title, 200)}`}`,
    '',
  ];
  if (turn === null) return [...lines, 'No turn is running.', ''];
  const what = [
    `turn ${cell(turn.turnId)}`,
    cell(turn.status),
    `step ${turn.step}`,
    ...(turn.attempt > 1 ? [`attempt ${turn.attempt}`] : []),
    ...(turn.recovering ? ['**recovering**'] : []),
  ];
  return [...lines, `${what.join(' · ')} · since ${instant(turn.startedAt)}`, ''];
}

function queue({ queue: waiting }: Shown): string[] {
  if (waiting.length === 0) return [];
  const lines = waiting.slice(0, MOST_LISTED).map(({ turnId, inputs, queuedAt }) => {
    const sources = [...new Set(inputs.map((input) => input.source))].map((source) => {
      const count = inputs.filter((input) => input.source === source).length;
      return count === 1 ? cell(source) : `${count} × ${cell(source)}`;
    });
    return `- ${cell(turnId)} · ${sources.join(', ')} · since ${instant(queuedAt)}`;
  });
  return [
    `Queue: ${waiting.length} ${waiting.length === 1 ? 'turn' : 'turns'}`,
    '',
    ...lines,
    ...more(waiting.length),
    '',
  ];
}

function requests({ requests: open }: Shown): string[] {
  if (open.length === 0) return [];
  const lines = open
    .slice(0, MOST_LISTED)
    .map(
      ({ requestId, kind, question, expiresAt }) =>
        `- ${cell(kind)} ${cell(requestId, 200)}${question === undefined ? '' : ` · ${cell(question, 120)}`} · until ${instant(expiresAt)}`,
    );
  return [`Requests: ${open.length}`, '', ...lines, ...more(open.length), ''];
}

function more(count: number): string[] {
  return count > MOST_LISTED ? [`- and ${count - MOST_LISTED} more`] : [];
}

function totals({ usage, lastSeq, runs }: Shown, now: number | undefined): string[] {
  const counts = (Object.entries(runs) as [RunStatus, number][])
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ');
  const cost = usage.costUsd === undefined ? '' : ` · USD ${usage.costUsd.toFixed(4)}`;
  const when =
    now === undefined || Number.isNaN(new Date(now).getTime())
      ? ''
      : ` · as of ${instant(new Date(now).toISOString())}`;
  return [
    `Tokens: ${usage.totalTokens} (${usage.inputTokens} in, ${usage.outputTokens} out) in ${usage.modelCalls} model calls${cost} · events: ${lastSeq}${when}`,
    '',
    `Runs: ${counts === '' ? 'none' : counts}`,
    '',
  ];
}

const TABLE = ['| run | agent | label | status | progress | deadline |', '| --- | --- | --- | --- | --- | --- |'];

function isLive(row: Row): boolean {
  return (
    row.status === 'running' ||
    row.status === 'queued' ||
    row.status === 'input_required' ||
    row.childStillRunning === true
  );
}

function tableRow(row: Row): string {
  const status = row.reason === undefined ? cell(row.status) : `${cell(row.status)} / ${cell(row.reason)}`;
  const asked = isLive(row) && row.cancelRequestedAt !== undefined ? ', asked to cancel' : '';
  const until = isLive(row)
    ? instant(row.deadlineAt)
    : row.settledAt === undefined
      ? ''
      : `settled ${instant(row.settledAt)}`;
  return `| ${[cell(row.runId), cell(row.agent), cell(row.label ?? ''), status + asked, progressCell(row), until].join(' | ')} |`;
}

function progressCell({ progress, milestones }: Row): string {
  const parts: string[] = [];
  if (progress?.fraction !== undefined && Number.isFinite(progress.fraction)) {
    const fraction = Math.min(1, Math.max(0, progress.fraction));
    const full = Math.round(fraction * BAR);
    parts.push(`${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${Math.round(fraction * 100)}%`);
  }
  const words = [progress?.phase, progress?.message].filter((one) => one !== undefined && one !== '').join(': ');
  if (words !== '') parts.push(cell(words));
  if (milestones.length > 0)
    parts.push(
      `◆ ${cell(
        milestones
          .slice(-3)
          .map((one) => one.name)
          .join(' ◆ '),
      )}`,
    );
  return parts.join(' ');
}
