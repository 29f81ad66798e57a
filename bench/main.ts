/**
 * `npm run bench`: what a run costs and how fast it is, beside the same work on the bare SDK, on one server in memory.
 * Contenders take turns within each round; figures are medians with their smallest and largest value.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { goalsOf, type Results } from './goals.ts';
import { goalTable, report } from './report.ts';
import { Rig } from './rig.ts';
import { floor, native, outlive, type Contender, type Cost } from './scenarios/fanout.ts';
import { ack, handover, step } from './scenarios/latency.ts';

const HELP = `npm run bench -- [options]
  --only NAME     fanout, old, history, ack, handover or step; may be given more than once. Default: all
  --rounds N      rounds of fanout. Default 3
  --runs N        runs of one fanout; may be given more than once. Default 100 and 500
  --samples N     samples of each latency. Default 20
  --behind N      settled runs behind an ack; may be given more than once. Default 0, 100 and 1000
  --json FILE     also writes all figures there
  --profile DIR   also writes a CPU profile of outlive's worker there
  --help`;

const SCENARIOS = ['fanout', 'old', 'history', 'ack', 'handover', 'step'];
const OLD = { runs: 10, ms: 61_000 };

const FANOUT: Record<string, Contender> = {
  native,
  floor,
  react: outlive({ notify: 'react' }),
  silent: outlive({ notify: 'silent' }),
  'react, cap 16': outlive({ notify: 'react', cap: 16 }),
};

const HISTORY: Record<string, Contender> = {
  native,
  floor,
  'task, silent': outlive({ notify: 'silent' }),
  'task, react': outlive({ notify: 'react' }),
  'agent, silent': outlive({ notify: 'silent', agent: 'answers' }),
};

try {
  await bench();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function count(name: string, text: string, least = 1): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < least)
    throw new Error(`Expected --${name} to be an integer of at least ${least}, got ${text}.`);
  return n;
}

async function bench(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: SCENARIOS },
      rounds: { type: 'string', default: '3' },
      runs: { type: 'string', multiple: true, default: ['100', '500'] },
      samples: { type: 'string', default: '20' },
      behind: { type: 'string', multiple: true, default: ['0', '100', '1000'] },
      json: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (options.help) {
    console.log(HELP);
    return;
  }
  const stranger = options.only.find((name) => !SCENARIOS.includes(name));
  if (stranger !== undefined) throw new Error(`Expected --only to be one of ${SCENARIOS.join(', ')}, got ${stranger}.`);
  const wanted = (name: string): boolean => options.only.includes(name);
  const rounds = count('rounds', options.rounds);
  const samples = count('samples', options.samples);
  const say = (line: string): void => console.error(line);
  const results: Results = { fanout: [], old: {}, history: {}, ack: [] };
  await using rig = await Rig.open(say, options.profile);

  // The first of everything is slower than all that come later.
  for (const contender of Object.values(HISTORY)) await contender(rig, { runs: 1, ms: 0 });
  if (wanted('fanout')) {
    for (const runs of options.runs.map((text) => count('runs', text))) {
      results.fanout.push({ runs, contenders: await inTurns(rig, FANOUT, rounds, { runs, ms: 0 }, say) });
    }
  }
  if (wanted('old')) results.old = await inTurns(rig, { floor, outlive: outlive({ notify: 'silent' }) }, 1, OLD, say);
  if (wanted('history')) results.history = await inTurns(rig, HISTORY, rounds, { runs: 1, ms: 0 }, say);
  if (wanted('ack')) {
    const behind = options.behind.map((text) => count('behind', text, 0));
    results.ack = [...(await ack(rig, behind, samples))].map(([runs, latencies]) => ({ behind: runs, latencies }));
  }
  if (wanted('handover')) results.handover = await handover(rig, samples);
  if (wanted('step')) results.step = await step(rig, samples);

  const goals = goalsOf(results);
  const machine = {
    at: new Date().toISOString(),
    node: process.version,
    cpus: cpus().length,
    model: cpus()[0]?.model ?? '',
    server: 'dev server, in memory',
  };
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ machine, rounds, samples, ...results, goals }, null, 2)}\n`);
  console.log(
    `${machine.at}, Node ${machine.node}, ${machine.cpus} × ${machine.model}, ${machine.server}\n\n${report(results)}\n\n${goalTable(goals)}`,
  );
}

/** Every contender once a round, so that a machine that is slow for a while is slow for all of them. */
async function inTurns(
  rig: Rig,
  contenders: Record<string, Contender>,
  rounds: number,
  work: { runs: number; ms: number },
  say: (line: string) => void,
): Promise<Record<string, Cost[]>> {
  const costs: Record<string, Cost[]> = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const [name, contender] of Object.entries(contenders)) {
      const cost = await contender(rig, work);
      costs[name]?.push(cost);
      say(`round ${round} of ${rounds}, ${work.runs} runs, ${name}: ${cost.runsPerSecond.toFixed(1)} runs/s`);
    }
  }
  return costs;
}
