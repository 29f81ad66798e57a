/**
 * `npm run chaos`: sessions with turns, runs, questions and cancellations from a seed, while workers and server are struck; then whether
 * everything that was accepted was done once, told once and adds up. Exit code 1 with a violation.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findCli } from '../src/server/index.ts';
import { chaos, type Report } from './chaos.ts';
import { plan, roundOf } from './generator.ts';
import { shown, type Round, type Wanted } from './plan.ts';

const HELP = `npm run chaos -- [options]
  --seed N        what all else is made of. Default: one of the clock, which is told
  --runs N        runs to start, with those that runs start. Default 100
  --kills N       workers to strike: killed, stopped for a while, told to stop. Default 10
  --restarts N    times that the server is stopped and started on its file. Default 2
  --minutes N     goes on with rounds of the same kind until so many minutes have passed
  --round N       only that round
  --plan          prints what would be done, and does nothing
  --json FILE     also writes the figures and every violation there
  --help`;

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function count(name: string, text: string, least: number): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n < least || text.trim() === '')
    throw new Error(`Expected --${name} to be an integer of at least ${least}, got ${text || 'nothing'}.`);
  return n;
}

function options(): ReturnType<typeof parse> {
  try {
    return parse();
  } catch (error) {
    // Its first sentence says it all; the others are for whoever wrote the call.
    const [first = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
    throw new Error(`${first.replace(/\.$/u, '')}: npm run chaos -- --help lists the options.`, { cause: error });
  }
}

function parse() {
  return parseArgs({
    options: {
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      runs: { type: 'string', default: '100' },
      kills: { type: 'string', default: '10' },
      restarts: { type: 'string', default: '2' },
      minutes: { type: 'string' },
      round: { type: 'string' },
      plan: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

async function main(): Promise<number> {
  const { help, plan: onlyPlan, json, ...given } = options();
  if (help) {
    console.log(HELP);
    return 0;
  }
  const wanted: Wanted = {
    seed: count('seed', given.seed, 0),
    runs: count('runs', given.runs, 1),
    kills: count('kills', given.kills, 0),
    restarts: count('restarts', given.restarts, 0),
  };
  const minutes = given.minutes === undefined ? 0 : count('minutes', given.minutes, 1);
  const only = given.round === undefined ? undefined : count('round', given.round, 1);
  const planned = plan(wanted);
  const chosen = only === undefined ? planned : [roundOf(wanted, planned.length, only)];
  if (onlyPlan) {
    console.log(chosen.map(shown).join('\n'));
    return 0;
  }
  const say = (line: string): void => console.error(line);
  const rounds = only === undefined ? goingOn(wanted, planned, minutes) : chosen;
  const report = await chaos({ cli: await findCli({ say }), rounds, say });
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ ...wanted, ...report }, null, 2)}\n`);
  console.log(summary(wanted.seed, report));
  return report.violations.length === 0 ? 0 : 1;
}

/** What is planned, and after it rounds of the same kind as long as there is time. */
function* goingOn(wanted: Wanted, planned: readonly Round[], minutes: number): Generator<Round> {
  const end = Date.now() + minutes * 60_000;
  yield* planned;
  for (let round = planned.length + 1; Date.now() < end; round++) yield roundOf(wanted, planned.length, round);
}

function summary(
  seed: number,
  { rounds, runs, losses, restarts, events, deliveries, executions, violations, seconds }: Report,
): string {
  const { kill, stop, term } = losses;
  return [
    ...violations,
    `seed ${seed}: ${rounds} rounds, ${runs} runs, ${events} events, ${deliveries} deliveries, ${executions} histories replayed, ${seconds} s`,
    `workers killed ${kill}, stopped for a while ${stop}, told to stop ${term}; server restarted ${restarts}`,
    violations.length === 0 ? 'no violations' : `${violations.length} violations`,
  ].join('\n');
}
