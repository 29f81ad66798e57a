/**
 * The demo: "Load orders.csv and build me a dashboard." once with the import detached, and once more with the same work done
 * one after the other, so that what overlapping saved is measured and not computed. What failed is said, and not compared.
 */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { sessionFolder } from '../../examples/import-and-build/load-data.ts';
import type { OutliveClient, SessionHandle } from '../client/index.ts';
import type { Json } from '../contract.ts';
import { problemOf } from './outcome.ts';
import { nearest } from './paths.ts';
import { Problem } from './problem.ts';
import { fullDisk, OUT } from './scenario.ts';
import { DEMO_SESSIONS } from './sessions.ts';
import { savedBanner, type Painter, type ViewModel } from './view.ts';
import { FeedReader } from './view/feed.ts';
import { isAllAnswered, isAtRest, watch, type Glimpse } from './watch.ts';

/** What a demo needs of its surroundings. */
export interface Stage {
  /** Which model speaks. */
  modelNote: string;
  client: OutliveClient;
  painter: Painter;
  /** Address of the Web UI up to the workflow id, if there is one. */
  ui: () => string | undefined;
  workerPid: () => number | undefined;
  /** Workers and servers that were lost so far. */
  losses: () => number;
  /** Told of a session as soon as there is one. */
  began: (sessionId: string) => void;
  /** What does not work just now. */
  trouble: () => string | undefined;
}

export interface Played {
  sessionId: string;
  /** What went wrong, in one sentence. */
  problem?: string | undefined;
}

const REPAINT_MS = 500;

/** Plays the demo with a file to its end. */
export async function play(stage: Stage, file: string, compare: boolean): Promise<Played> {
  const { client } = stage;
  const sessionId = freshId();
  const session = await client.startSession(sessionId, { title: `A dashboard of ${file}` });
  stage.began(sessionId);
  const shown = new Shown(stage, session, `Load ${file} and build me a dashboard`);
  try {
    const before = stage.losses();
    const started = Date.now();
    await session.submitTurn({ input: `Load ${file} and build me a dashboard.` });
    const problem = await shown.follow(isAllAnswered);
    const detachedMs = Date.now() - started;
    if (problem !== undefined) return shown.ended(problem);
    if (!compare) return shown.ended(undefined, [`Done in ${(detachedMs / 1000).toFixed(1)} s.`]);
    const between = stage.losses();
    shown.say(['Now the same work one after the other, to measure what overlapping saved …']);
    const serial = await oneAfterTheOther(client, `${sessionId}-serial`, file);
    if (serial.problem !== undefined)
      return shown.ended(`The same work one after the other failed, so nothing is compared: ${serial.problem}`);
    const lost = { detached: between - before, serial: stage.losses() - between };
    return shown.ended(undefined, savedBanner({ detachedMs, serialMs: serial.ms, lost }));
  } finally {
    shown.stop();
  }
}

/** Shows a session that was begun before until it has answered everything. */
export async function goOn(stage: Stage, sessionId: string): Promise<Played> {
  stage.began(sessionId);
  const shown = new Shown(stage, stage.client.session(sessionId), `Going on with ${sessionId}`);
  try {
    const problem = await shown.follow(isAllAnswered);
    return shown.ended(problem, ['Everything that was asked for is answered.']);
  } finally {
    shown.stop();
  }
}

/** Told by the time, so that the newest is the last one in a list, and by chance, as two may begin in one second. */
function freshId(): string {
  const stamp = new Date().toISOString().replaceAll(/[-:]/gu, '').slice(0, 15);
  const chance = Math.random().toString(36).slice(2, 5).padEnd(3, '0');
  return `${DEMO_SESSIONS}${stamp}-${chance}`;
}

/** The session as the view has it, painted anew twice a second: what is waited for has a clock that goes on. */
class Shown {
  private readonly stage: Stage;
  private readonly session: SessionHandle;
  private readonly model: ViewModel;
  private readonly reader = new FeedReader();
  private readonly clock: NodeJS.Timeout;

  constructor(stage: Stage, session: SessionHandle, title: string) {
    this.stage = stage;
    this.session = session;
    this.model = { title, modelNote: stage.modelNote, snapshot: null, rows: [], feed: [], links: [] };
    this.clock = setInterval(() => this.paint(), REPAINT_MS);
    this.paint();
  }

  /** Follows it until `done`; answers with what went wrong. */
  async follow(done: (glimpse: Glimpse) => boolean): Promise<string | undefined> {
    const events: Glimpse['fresh'] = [];
    const last = await watch(this.session, {
      hopeless: fullDisk,
      done,
      seen: ({ at, snapshot, rows, fresh }) => {
        this.model.asOf = at;
        this.model.snapshot = snapshot;
        this.model.rows = rows;
        events.push(...fresh);
        for (const event of fresh) {
          const item = this.reader.read(event);
          if (item !== null) this.model.feed.push(item);
        }
        this.paint();
      },
    });
    return problemOf(this.session, last.rows, events);
  }

  say(banner: string[]): void {
    this.model.banner = banner;
    this.paint();
  }

  ended(problem: string | undefined, banner: string[] = []): Played {
    const page = resolve(OUT, sessionFolder(this.session.sessionId), 'dashboard.html');
    this.model.links = [
      ...this.links(),
      ...(problem === undefined ? [{ label: 'dashboard', url: nearest(page) }] : []),
    ];
    // What went wrong is said below the picture, by whoever shows it.
    if (problem === undefined) this.model.banner = banner;
    else delete this.model.banner;
    this.stage.painter.update(this.model);
    return { sessionId: this.session.sessionId, problem };
  }

  stop(): void {
    clearInterval(this.clock);
  }

  private links(): ViewModel['links'] {
    const ui = this.stage.ui();
    return ui === undefined ? [] : [{ label: 'Web UI', url: `${ui}${this.session.sessionId}` }];
  }

  private paint(): void {
    const { trouble, workerPid, painter } = this.stage;
    this.model.trouble = trouble();
    const pid = workerPid();
    this.model.links = [
      ...this.links(),
      ...(pid === undefined || this.model.trouble !== undefined
        ? []
        : [{ label: 'worker', url: `pid ${pid}: kill -9 ${pid} and watch` }]),
    ];
    painter.update(this.model);
  }
}

/** The same task, then the same agent work, with nothing overlapping. What it makes is not kept: the page is there already. */
async function oneAfterTheOther(
  client: OutliveClient,
  id: string,
  file: string,
): Promise<{ ms: number; problem?: string | undefined }> {
  const session = await client.startSession(id, { title: `The same, one after the other` });
  const events: Glimpse['fresh'] = [];
  const seen = ({ fresh }: Glimpse): void => {
    events.push(...fresh);
  };
  try {
    const started = Date.now();
    const { runId } = await session.startRun({
      agent: 'load_data',
      input: { file },
      label: file,
      detached: { notify: 'silent' },
    });
    const loaded = await watch(session, { seen, done: isAtRest, hopeless: fullDisk });
    const failed = await problemOf(session, loaded.rows, undefined);
    if (failed !== undefined) return { ms: 0, problem: failed };
    const result: Json = await session.run(runId).result();
    await session.submitTurn({
      input: `The data of ${file} is already loaded (result: ${JSON.stringify(result)}). Build me a dashboard.`,
    });
    const { rows } = await watch(session, {
      seen,
      done: isAtRest,
      after: events.at(-1)?.seq ?? 0,
      hopeless: fullDisk,
    });
    const ms = Date.now() - started;
    return { ms, problem: await problemOf(session, rows, events) };
  } catch (error) {
    if (error instanceof Problem) return { ms: 0, problem: error.message };
    throw error;
  } finally {
    await session.close({ runs: 'cancel' }).catch(() => undefined);
    await rm(resolve(OUT, sessionFolder(id)), { recursive: true, force: true }).catch(() => undefined);
  }
}
