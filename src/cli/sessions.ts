/** The sessions that earlier starts have left open, and what they have made: named, gone on with, or cleaned away. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sessionFolder } from '../../examples/import-and-build/load-data.ts';
import { NAMED_FILES } from '../../examples/import-and-build/named-files.ts';
import type { OutliveClient } from '../client/index.ts';
import { nearest } from './paths.ts';
import { Problem } from './problem.ts';
import { OUT } from './scenario.ts';

/** What the ids of the demo's sessions begin with. */
export const DEMO_SESSIONS = 'import-and-build-';

const MOST = 1000;
const MOST_NAMED = 3;

/** The open sessions of this demo on this task queue, the newest first. */
export async function openSessions({ temporal, taskQueue }: OutliveClient): Promise<string[]> {
  const query = `WorkflowType = 'session' AND ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}'`;
  const found: { id: string; startTime: Date }[] = [];
  for await (const { workflowId, startTime } of temporal.workflow.list({ query })) {
    if (workflowId.startsWith(DEMO_SESSIONS)) found.push({ id: workflowId, startTime });
    if (found.length >= MOST) break;
  }
  return found.toSorted((a, b) => b.startTime.getTime() - a.startTime.getTime()).map(({ id }) => id);
}

/** What a start says of those that were begun before, and of what they have left; nothing when there is nothing. */
export function aboutOpen(open: readonly string[]): string[] {
  const left = foldersIn(OUT).reduce((sum, name) => sum + bytesIn(join(OUT, name)), 0);
  const files = `${size(left)} in ${nearest(OUT)}`;
  const [newest] = open;
  if (newest === undefined)
    return left === 0 ? [] : [`Earlier starts have left ${files}. To delete that: npm start -- --clean`];
  const one = open.length === 1;
  const named = open.slice(0, MOST_NAMED).join(', ');
  const more = open.length > MOST_NAMED ? ` and ${open.length - MOST_NAMED} more` : '';
  return [
    `${one ? 'An earlier session is open and goes' : `${open.length} earlier sessions are open and go`} on: ${named}${more}.`,
    `To see ${one ? 'it' : 'the last one'}: npm start -- --continue ${newest}`,
    `To end ${one ? 'it' : 'them'} and delete what earlier starts have made (${files}): npm start -- --clean`,
  ];
}

/** The session to go on with. @throws Problem when it is none that is open. */
export function toContinue(wanted: string, open: readonly string[]): string {
  if (open.includes(wanted)) return wanted;
  throw new Problem(
    `Expected --continue to name an open session (${open.slice(0, MOST_NAMED).join(', ') || 'there is none'}), got ${wanted}.`,
  );
}

/** Ends the open ones with their runs and deletes the folders of all. Needs a worker. */
export async function clean(client: OutliveClient, open: readonly string[]): Promise<string> {
  const before = bytesIn(OUT);
  for (const id of open) {
    const session = client.session(id);
    await session.close({ runs: 'cancel', reason: 'npm start -- --clean' });
    await client.temporal.workflow.getHandle(id).result();
  }
  let folders = 0;
  for (const name of foldersIn(OUT)) {
    rmSync(join(OUT, name), { recursive: true, force: true });
    folders += 1;
  }
  rmSync(join(OUT, NAMED_FILES), { recursive: true, force: true });
  return `${open.length} open ${open.length === 1 ? 'session' : 'sessions'} ended, ${folders} ${folders === 1 ? 'folder' : 'folders'} deleted (${size(before - bytesIn(OUT))}).`;
}

function foldersIn(folder: string): string[] {
  const prefix = sessionFolder(DEMO_SESSIONS);
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(prefix))
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function size(bytes: number): string {
  return `${(Math.max(0, bytes) / 1e6).toFixed(1)} MB`;
}

function bytesIn(folder: string): number {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce(
        (sum, { parentPath, name }) => sum + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
  } catch {
    return 0;
  }
}
