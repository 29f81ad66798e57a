/** What became of a demo, read off the session itself: whether the file was loaded, and whether its dashboard was finished. */
import type { SessionHandle } from '../client/index.ts';
import type { OutliveEvent, Row, UIMessage } from '../contract.ts';
import { inSentence } from '../server/index.ts';

/** What went wrong, in one sentence, or nothing. Without events only the import is judged. */
export async function problemOf(
  session: SessionHandle,
  rows: readonly Row[],
  events: readonly OutliveEvent[] | undefined,
): Promise<string | undefined> {
  for (const row of rows.filter(({ agent }) => agent === 'load_data')) {
    const problem = row.status === 'completed' ? await emptyLoad(session, row) : unloaded(row);
    if (problem !== undefined) return problem;
  }
  if (events === undefined) return undefined;
  const failed = events.findLast(({ type }) => type === 'turn.failed' || type === 'turn.cancelled');
  if (failed !== undefined) {
    const { message } = (failed['error'] ?? {}) as { message?: string };
    return `A turn ${failed.type === 'turn.failed' ? 'failed' : 'was cancelled'}${message === undefined ? '' : ` (${inSentence(message)})`}, so the dashboard was not finished.`;
  }
  return events.some(finishesPage) ? undefined : `The dashboard was not finished: ${lastWords(events)}`;
}

function unloaded(row: Row): string {
  const why = row.error?.message ?? row.comment ?? row.reason ?? 'no reason is known';
  return `${row.label ?? 'The file'} could not be loaded (${row.status}): ${inSentence(why)}.`;
}

/** A load that has completed and has no row. */
async function emptyLoad(session: SessionHandle, row: Row): Promise<string | undefined> {
  const result = (await session.run(row.runId).result()) as {
    rows?: number;
    rejectedRows?: number;
    rejected?: Record<string, number>;
  };
  if (result.rows !== 0) return undefined;
  const { rejectedRows = 0, rejected = {} } = result;
  const reasons = Object.entries(rejected).map(([reason, n]) => `${n} ${reason}`);
  return rejectedRows === 0
    ? `${row.label ?? 'The file'} has a header and no rows: 0 rows loaded.`
    : `No row of ${row.label ?? 'the file'} could be loaded: 0 rows loaded, ${rejectedRows} rejected (${reasons.join(', ')}).`;
}

function finishesPage(event: OutliveEvent): boolean {
  if (event.type !== 'message.added') return false;
  const { parts = [] } = (event['message'] ?? {}) as Partial<UIMessage>;
  return parts.some((part) => part.type === 'tool-finish_page' && part['state'] === 'output-available');
}

/** What the model said last. */
function lastWords(events: readonly OutliveEvent[]): string {
  for (const event of events.toReversed()) {
    const { role, parts = [] } = (event['message'] ?? {}) as Partial<UIMessage>;
    const text = parts
      .flatMap((part) => (part.type === 'text' ? [String(part['text'])] : []))
      .join(' ')
      .trim();
    if (role === 'assistant' && text !== '') return text;
  }
  return 'the model said nothing.';
}
