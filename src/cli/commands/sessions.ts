/** `outlive sessions`: which there are, as a table or a row of JSON a line. */
import type { ListedSession } from '../../client/index.ts';
import { stripControl } from '../../domain/state/text.ts';
import { openClient, type ClientArguments } from '../open-client.ts';
import { asGiven } from '../program.ts';
import { pad, width } from '../view/width.ts';

export interface SessionsArguments extends ClientArguments {
  agent?: string;
  status?: 'open' | 'closed';
  prefix?: string;
  limit?: number;
  after?: string;
  json?: true;
}

const HEADING = ['SESSION', 'STATUS', 'AGENT', 'CREATED', 'TITLE'];
const GAP = '  ';

export async function sessions({
  json,
  prefix,
  agent,
  status,
  limit,
  after,
  ...where
}: SessionsArguments): Promise<void> {
  const { client, address, namespace } = await openClient(where);
  const asked = {
    ...(agent === undefined ? {} : { agent }),
    ...(status === undefined ? {} : { status }),
    ...(prefix === undefined ? {} : { idPrefix: prefix }),
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after }),
  };
  const page = await asGiven(async () => client.listSessions(asked));
  if (json === true) for (const row of page.sessions) console.log(JSON.stringify(row));
  else if (page.sessions.length === 0) {
    const isAny = agent === undefined && status === undefined && prefix === undefined && after === undefined;
    if (page.after === undefined)
      console.log(
        `No${isAny ? '' : ' such'} session on the task queue "${client.taskQueue}" at ${address}, namespace ${namespace}.`,
      );
  } else for (const line of table(page.sessions)) console.log(line);
  // Beside the rows, which somebody may count.
  if (page.after !== undefined) console.error(`There are more: go on with --after ${page.after}`);
}

/** Columns as wide as what stands in them, so that nothing is cut off. */
function table(rows: readonly ListedSession[]): string[] {
  const cells = rows.map(({ sessionId, status, agent = '', createdAt, title = '' }) =>
    [sessionId, status, agent, createdAt.replace(/\.\d+Z$/u, 'Z'), title].map(stripControl),
  );
  const widths = HEADING.map((name, i) => Math.max(width(name), ...cells.map((row) => width(row[i] ?? ''))));
  return [HEADING, ...cells].map((row) =>
    row
      .map((cell, i) => pad(cell, widths[i] ?? 0, ''))
      .join(GAP)
      .trimEnd(),
  );
}
