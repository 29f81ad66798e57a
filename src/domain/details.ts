/**
 * The session as a page for Temporal's Web UI: its workflow's "current details", in Markdown. A pure function of what readers
 * see; everything from outside is escaped, and the page is cut at whole lines to what Temporal takes.
 */
import { utf8Length } from './json.ts';
import { escapeMarkdown, plain, truncate } from './text.ts';
import type { Row, SessionSnapshot } from './types.ts';

const MOST_BYTES = 20_000;
const MOST_QUEUED = 10;
const BAR = 10;

/** The page, at most 20,000 bytes. Live runs come first, then the latest of the others. */
export function sessionDetails(snapshot: SessionSnapshot, rows: readonly Row[]): string {
  const { turn, queue, usage } = snapshot;
  const lines = [`**${snapshot.status}** · agent ${escapeMarkdown(snapshot.agent)}${snapshot.title === undefined ? '' : ` · ${escapeMarkdown(snapshot.title)}`}`, ''];
  if (turn === null) lines.push('No turn is running.', '');
  else lines.push(`Turn ${escapeMarkdown(turn.turnId)}: step ${turn.step}${turn.attempt > 1 ? `, attempt ${turn.attempt}` : ''}${turn.recovering ? ', recovering' : ''}, since ${turn.startedAt}`, '');
  if (queue.length > 0) {
    lines.push(`Queued turns: ${queue.length}`, '');
    for (const one of queue.slice(0, MOST_QUEUED)) lines.push(`${one.position}. ${escapeMarkdown(one.turnId)}, ${one.inputs.map((input) => input.source).join(', ').slice(0, 200)}, since ${one.queuedAt}`);
    if (queue.length > MOST_QUEUED) lines.push(`${MOST_QUEUED + 1}. and ${queue.length - MOST_QUEUED} more`);
    lines.push('');
  }
  const counts = Object.entries(snapshot.runs).filter(([, count]) => count > 0).map(([status, count]) => `${count} ${status}`).join(', ');
  lines.push(`Runs: ${counts === '' ? 'none' : counts}`, '');
  const footer = ['', `Tokens: ${usage.totalTokens} in ${usage.modelCalls} model calls · events: ${snapshot.lastSeq}`];
  if (rows.length > 0) lines.push('| run | agent | status | progress | until |', '| --- | --- | --- | --- | --- |');
  let bytes = utf8Length([...lines, ...footer].join('\n')) + 100;
  const ordered = [...rows.filter(isLive), ...rows.filter((row) => !isLive(row)).toReversed()];
  let shown = 0;
  for (const row of ordered) {
    const line = tableRow(row);
    bytes += utf8Length(line) + 1;
    if (bytes > MOST_BYTES) break;
    lines.push(line);
    shown += 1;
  }
  if (shown < ordered.length) lines.push('', `… ${ordered.length - shown} more runs`);
  return [...lines, ...footer].join('\n');
}

function isLive(row: Row): boolean {
  return row.status === 'running' || row.status === 'queued' || row.status === 'input_required' || row.childStillRunning === true;
}

function tableRow(row: Row): string {
  const name = row.label === undefined ? row.agent : `${row.agent} · ${row.label}`;
  const status = row.reason === undefined ? row.status : `${row.status} / ${row.reason}`;
  return `| ${escapeMarkdown(row.runId)} | ${escapeMarkdown(truncate(name, 80))} | ${escapeMarkdown(status)} | ${progressCell(row)} | ${isLive(row) ? row.deadlineAt : (row.settledAt ?? '')} |`;
}

function progressCell(row: Row): string {
  const { progress, milestones } = row;
  const parts: string[] = [];
  if (progress?.fraction !== undefined) {
    const full = Math.round(progress.fraction * BAR);
    parts.push(`${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${Math.round(progress.fraction * 100)}&#37;`);
  }
  const words = [progress?.phase, progress?.message].filter((one) => one !== undefined).join(': ');
  if (words !== '') parts.push(escapeMarkdown(truncate(words, 80)));
  if (milestones.length > 0) parts.push(`◆ ${escapeMarkdown(truncate(milestones.slice(-3).map((one) => one.name).join(' ◆ '), 80))}`);
  return parts.join(' ');
}

/** What lists of workflows show beside a run: Temporal takes 400 bytes. */
export function runSummary(agent: string, label?: string): string {
  return truncate(plain(label === undefined ? agent : `${agent} · ${label}`), 90);
}
