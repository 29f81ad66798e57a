/** What names stand for, asked of a worker: agents, tasks, workflow types and handlers; and whether input fits what stands behind them. */
import type { State } from '../src/domain/state/state.ts';
import type { Json, Misfit, NameFacts } from '../src/domain/state/types.ts';
import { checkedInputs, resolved, type Resolved } from '../src/schemas/index.ts';
import { answered } from './answered.ts';
import { untilDone } from './proxies.ts';

/** Asks for one name, or without one for the agent of sessions that name none; without facts no worker knows it. */
export async function resolveName(name: string | undefined): Promise<Resolved> {
  const ask = untilDone(name === undefined ? 'the first agent' : `name: ${name}`);
  return answered(async () => ask.resolveName(name === undefined ? { v: 1 } : { v: 1, name }), resolved);
}

/** Puts into the state what these names stand for, as far as they are known. */
export async function lookUpNames(state: State, names: readonly string[]): Promise<void> {
  const found = await Promise.all(names.map(resolveName));
  for (const { name, facts } of found) if (facts !== undefined) state.names[name] = facts as NameFacts;
}

/** What does not fit of the input of runs, in their order. */
export async function checkInputs(runs: readonly { agent: string; input: Json }[]): Promise<(Misfit | null)[]> {
  const ask = untilDone(runs.length === 1 ? `input: ${runs[0]?.agent}` : `input of ${runs.length} runs`);
  const asked = runs.map(({ agent, input }) => ({ agent, input }));
  const { misfits } = await answered(async () => ask.checkInputs({ v: 1, runs: asked }), checkedInputs);
  return misfits;
}
