/**
 * The demo: "Load orders.csv and build me a dashboard." once with the import detached, and once more with the same work done
 * one after the other, so that what overlapping saved is measured and not computed.
 */
import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { DEMO_SENTENCE } from '../../examples/import-and-build/demo-model.ts';
import { sessionFolder } from '../../examples/import-and-build/load-data.ts';
import type { OutliveClient, SessionHandle } from '../client/index.ts';
import type { Json } from '../contract.ts';
import { OUT, type DemoFile } from './scenario.ts';
import { savedBanner, type Painter, type ViewModel } from './view.ts';
import { feedOf } from './view/feed.ts';
import { isAllAnswered, watch, type Glimpse } from './watch.ts';

export interface Play {
  client: OutliveClient;
  file: DemoFile;
  painter: Painter;
  /** Address of the Web UI up to the workflow id, if there is one. */
  ui: string | undefined;
  compare: boolean;
  workerPid: () => number | undefined;
}

export interface Played {
  sessionId: string;
  page: string;
  detachedMs: number;
  serialMs: number | undefined;
}

/** Plays the demo to its end. */
export async function play({ client, file, painter, ui, compare, workerPid }: Play): Promise<Played> {
  const stamp = new Date().toISOString().replaceAll(/[-:]/gu, '').slice(0, 15);
  const session = await client.startSession(`import-and-build-${stamp}`, { title: `A dashboard of ${file.name}` });
  const links = ui === undefined ? [] : [{ label: 'Web UI', url: `${ui}${session.sessionId}` }];
  const model: ViewModel = {
    title: `Load ${file.name} and build me a dashboard`,
    modelNote: DEMO_SENTENCE,
    snapshot: null,
    rows: [],
    feed: [],
    links,
  };
  const detachedMs = await detached(session, file, model, {
    ...painter,
    update: (shown) => {
      shown.links = [...links, { label: 'worker', url: `pid ${workerPid() ?? '?'}; kill -9 it and watch` }];
      painter.update(shown);
    },
  });
  const page = resolve(OUT, sessionFolder(session.sessionId), 'dashboard.html');
  model.links = [
    ...links,
    { label: 'dashboard', url: existsSync(page) ? relative('.', page) : `${relative('.', page)} (was not written)` },
  ];
  let serialMs: number | undefined;
  if (compare) {
    model.banner = ['Now the same work one after the other, to measure what overlapping saved …'];
    painter.update(model);
    serialMs = await serial(client, `${session.sessionId}-serial`, file);
    model.banner = savedBanner({ detachedMs, serialMs });
  } else model.banner = [`Done in ${(detachedMs / 1000).toFixed(1)} s.`];
  painter.update(model);
  return { sessionId: session.sessionId, page, detachedMs, serialMs };
}

async function detached(session: SessionHandle, file: DemoFile, model: ViewModel, painter: Painter): Promise<number> {
  const started = Date.now();
  await session.submitTurn({ input: `Load ${file.name} and build me a dashboard.` });
  const seen = ({ snapshot, rows, fresh }: Glimpse): void => {
    model.snapshot = snapshot;
    model.rows = rows;
    for (const event of fresh) {
      const item = feedOf(event);
      if (item !== null) model.feed.push(item);
    }
    painter.update(model);
  };
  await watch(session, seen, isAllAnswered, () => painter.update(model));
  return Date.now() - started;
}

/** The same task, then the same agent work, with nothing overlapping. */
async function serial(client: OutliveClient, id: string, file: DemoFile): Promise<number> {
  const session = await client.startSession(id, { title: `The same, one after the other` });
  const started = Date.now();
  const { runId } = await session.startRun({
    agent: 'load_data',
    input: { file: file.name },
    label: file.name,
    detached: { notify: 'silent' },
  });
  const result: Json = await session.run(runId).result();
  await session.submitTurn({
    input: `The data of ${file.name} is already loaded (result: ${JSON.stringify(result)}). Build me a dashboard.`,
  });
  await watch(
    session,
    () => undefined,
    ({ snapshot }) => snapshot.status === 'idle' && snapshot.queue.length === 0,
    () => undefined,
  );
  const ms = Date.now() - started;
  await session.close();
  return ms;
}
