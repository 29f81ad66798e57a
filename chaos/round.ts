/** One round: its items in order, until all is quiet; then the end of every session, and what the oracle says. */
import { setTimeout as pause } from 'node:timers/promises';
import type { OutliveClient, SessionHandle } from '../src/client/index.ts';
import { collect, treeQuery } from './collect.ts';
import type { Crew } from './crew.ts';
import type { EffectsFile } from './effects.ts';
import { deliveriesOf } from './oracle/deliveries.ts';
import type { SessionFacts } from './oracle/facts.ts';
import { judge, sentence } from './oracle/oracle.ts';
import type { Item, Round } from './plan.ts';
import { Player } from './player.ts';
import { replayTrees } from './replay.ts';
import type { Server } from './server.ts';
import { until } from './until.ts';

/** Nothing changes for so long: it is stuck, whatever it waits for. */
const STUCK_MS = 120_000;
const LOOK_MS = 300;
/** Units that a task does while the server is away. */
const UNITS_ALONE = 3;

export interface World {
  client: OutliveClient;
  server: Server;
  crew: Crew;
  effects: EffectsFile;
  /** Where the workflow code is that the workers run. */
  bundlePath: string;
  say: (line: string) => void;
}

export interface Outcome {
  runs: number;
  deliveries: number;
  events: number;
  /** Histories that were replayed. */
  executions: number;
  violations: string[];
}

export async function play(world: World, round: Round): Promise<Outcome> {
  const { client, crew, effects, say } = world;
  const player = new Player(client);
  const plans = [...round.sessions, round.ballast];
  for (const { sessionId, input } of plans)
    await until(`the start of ${sessionId}`, async () => client.startSession(sessionId, input));
  const ended = new AbortController();
  const ids = plans.map(({ sessionId }) => sessionId);
  const person = player.person(ids, ended.signal);
  const closed = new Map<string, 'keep' | 'cancel'>();
  const stuck: string[] = [];
  try {
    await perform(world, player, round.items, closed);
    say('all has been sent');
    const open = (): string[] => ids.filter((id) => !closed.has(id));
    stuck.push(...(await rest(world, player, open())));
    await player.sendLate((session) => !closed.has(session));
    stuck.push(...(await rest(world, player, open())));
  } finally {
    ended.abort();
    await person;
  }
  say('all is quiet');
  for (const { sessionId, runs } of plans) {
    if (closed.has(sessionId)) continue;
    await player.close({ session: sessionId, runs, turn: 'cancel' });
    closed.set(sessionId, runs);
  }
  await end(client, player, ids);
  say('all has ended');
  const sessions = await Promise.all(
    ids.map(async (id): Promise<SessionFacts> => {
      await player.afterEnd(
        id,
        round.items.filter((item) => item.do === 'send' && item.session === id),
      );
      return collect(client, id, closed.get(id) === 'keep', player.toldOf(id));
    }),
  );
  const { executions, failed } = await replayTrees(client.temporal, ids, world.bundlePath);
  const violations = judge({ sessions, effects: effects.read(), stopped: crew.stopped });
  const where = `seed ${round.seed}, round ${round.round}`;
  return {
    runs: sessions.reduce((sum, { logs }) => sum + queuedIn(logs), 0),
    deliveries: sessions.reduce((sum, one) => sum + deliveriesOf(one), 0),
    events: sessions.reduce((sum, { logs }) => sum + logs.reduce((all, { events }) => all + events.length, 0), 0),
    executions,
    violations: [
      ...violations.map((one) => sentence(round, one)),
      ...[...failed, ...stuck, ...crew.oddities.splice(0)].map((what) => `${where}: ${what}`),
    ],
  };
}

function queuedIn(logs: SessionFacts['logs']): number {
  return logs.reduce((sum, { events }) => sum + events.filter(({ type }) => type === 'run.queued').length, 0);
}

/** The items one after another; what befalls a worker is made good while the next ones are sent. */
async function perform(
  world: World,
  player: Player,
  items: readonly Item[],
  closed: Map<string, 'keep' | 'cancel'>,
): Promise<void> {
  const { crew, server, say } = world;
  let healed: Promise<void> = Promise.resolve();
  for (const item of items) {
    switch (item.do) {
      case 'send':
        await player.send(item);
        break;
      case 'forge':
        await player.forge(item);
        break;
      case 'close':
        await player.close(item);
        closed.set(item.session, item.runs);
        break;
      case 'lose': {
        await healed;
        const key = ballastOf(items, item.ballast);
        say(`${item.loss}, while it works on ${item.ballast}`);
        ({ healed } = await crew.lose(item.loss, key));
        healed.catch(() => undefined);
        break;
      }
      case 'restart server': {
        await healed;
        const key = ballastOf(items, item.ballast);
        await until(`the beginning of ${key}`, async () => crew.done(key).length > 0);
        say(`the server stops and starts during ${item.ballast}`);
        await server.restart(async () => alone(crew, key));
        break;
      }
      default:
        item satisfies never;
    }
  }
  await healed;
}

/** Something goes on although the server is away, if it was not done before. */
async function alone(crew: Crew, key: string): Promise<void> {
  const before = crew.done(key).length;
  await until('work without a server', async () => crew.done(key).length >= before + UNITS_ALONE, 5000).catch(
    () => undefined,
  );
}

function ballastOf(items: readonly Item[], runId: string): string {
  const start = items.find(
    (item) => item.do === 'send' && item.message.name === 'startRun' && item.message.argument.runId === runId,
  );
  return `${start?.do === 'send' ? start.session : ''}/${runId}`;
}

/** Until no turn runs or waits and no run is unsettled. What nobody has answered by then is answered by a person. */
async function rest({ client }: World, player: Player, ids: readonly string[]): Promise<string[]> {
  const stuck: string[] = [];
  for (const id of ids) {
    let last = '';
    let since = Date.now();
    for (;;) {
      const { isIdle, unsettled, shown } = await present(client.session(id));
      if (isIdle && unsettled === 0) break;
      if (isIdle) await player.answer(id, true).catch(() => undefined);
      if (shown !== last) [last, since] = [shown, Date.now()];
      if (Date.now() - since > STUCK_MS) {
        stuck.push(`session ${id} does not come to rest: ${shown}.`);
        break;
      }
      await pause(LOOK_MS);
    }
  }
  return stuck;
}

async function present(session: SessionHandle): Promise<{ isIdle: boolean; unsettled: number; shown: string }> {
  return until(`${session.sessionId} to answer`, async () => {
    const { turn, queue, runs, requests, lastSeq } = await session.getSession();
    const unsettled = runs.queued + runs.running + runs.input_required + runs.interrupted;
    const shown = { turn: turn?.turnId, queue: queue.length, runs, requests: requests.length, lastSeq };
    return { isIdle: turn === null && queue.length === 0, unsettled, shown: JSON.stringify(shown) };
  });
}

/**
 * Until every workflow of the trees has ended, or nothing ends any more: what is still open then is told by the oracle. Runs that go on
 * after their session may ask one another; a person answers each where it is asked.
 */
async function end({ temporal }: OutliveClient, player: Player, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const query = `ExecutionStatus = 'Running' AND ${treeQuery(id)}`;
    let last = -1;
    let since = Date.now();
    for (;;) {
      const open = await until('a list', async () => openBy(temporal, query));
      if (open.length === 0) break;
      for (const workflowId of open) await player.answer(workflowId, true).catch(() => undefined);
      if (open.length !== last) [last, since] = [open.length, Date.now()];
      if (Date.now() - since > STUCK_MS) return;
      await pause(LOOK_MS);
    }
  }
}

async function openBy(temporal: OutliveClient['temporal'], query: string): Promise<string[]> {
  const open: string[] = [];
  for await (const { workflowId } of temporal.workflow.list({ query })) open.push(workflowId);
  return open;
}
