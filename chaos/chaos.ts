/** A chaos run: server on a file, model, workers; round after round; then what came of it. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { OutliveClient } from '../src/client/index.ts';
import { bundleWorkflows } from '../src/worker.ts';
import { Crew } from './crew.ts';
import { EffectsFile } from './effects.ts';
import { startModel } from './model.ts';
import type { Loss, Round } from './plan.ts';
import { play, type Outcome } from './round.ts';
import { Server } from './server.ts';

const QUEUE = 'chaos';
const WORKERS = 2;

export interface Options {
  cli: string;
  /** The rounds, one after another, for as long as there is one. */
  rounds: Iterable<Round>;
  /** A bundle of the workflows made before. */
  bundlePath?: string;
  say?: (line: string) => void;
}

export interface Report extends Outcome {
  rounds: number;
  losses: Record<Loss, number>;
  restarts: number;
  seconds: number;
}

export async function chaos({ cli, rounds, bundlePath, say = () => undefined }: Options): Promise<Report> {
  const begunAt = Date.now();
  const folder = await mkdtemp(join(tmpdir(), 'outlive-chaos-'));
  const effects = new EffectsFile(join(folder, 'effects.jsonl'));
  const bundle = bundlePath ?? join(folder, 'workflows.js');
  if (!existsSync(bundle)) await writeFile(bundle, (await bundleWorkflows()).code);
  const model = await startModel(effects.path);
  const report: Omit<Report, 'losses' | 'restarts' | 'seconds'> = {
    rounds: 0,
    runs: 0,
    deliveries: 0,
    events: 0,
    executions: 0,
    violations: [],
  };
  try {
    await using server = await Server.open(cli, join(folder, 'temporal.db'));
    const env = { ADDRESS: server.address, QUEUE, BUNDLE: bundle, MODEL_URL: model.url, EFFECTS: effects.path };
    await using crew = await Crew.open(WORKERS, env, effects);
    await using connection = await connected(server.address);
    const client = new OutliveClient(new Client({ connection: connection.connection }), { taskQueue: QUEUE });
    const world = { client, server, crew, effects, bundlePath: bundle, say };
    for (const round of rounds) {
      const outcome = await play(world, round).catch((error: unknown) => unplayed(round, error));
      report.rounds += 1;
      report.runs += outcome.runs;
      report.deliveries += outcome.deliveries;
      report.events += outcome.events;
      report.executions += outcome.executions;
      report.violations.push(...outcome.violations);
      const { runs, deliveries, violations } = outcome;
      say(`round ${round.round}: ${runs} runs, ${deliveries} deliveries, ${violations.length} violations`);
      for (const violation of violations) say(violation);
      if ('unplayed' in outcome) break;
    }
    const { losses } = crew;
    const { restarts } = server;
    return { ...report, losses, restarts, seconds: Math.round((Date.now() - begunAt) / 1000) };
  } finally {
    await model.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function connected(address: string): Promise<AsyncDisposable & { connection: Connection }> {
  const connection = await Connection.connect({ address });
  return { connection, [Symbol.asyncDispose]: async () => connection.close() };
}

/** What it has waited for did not come: there is nothing to judge, and no other round is begun in what is left of it. */
function unplayed({ seed, round }: Round, error: unknown): Outcome & { unplayed: true } {
  const why = error instanceof Error ? error.message : String(error);
  const violation = `seed ${seed}, round ${round}: it could not be played to its end: ${why}`;
  return { runs: 0, deliveries: 0, events: 0, executions: 0, violations: [violation], unplayed: true };
}
