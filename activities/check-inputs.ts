/**
 * Whether the input of runs fits the schemas of their tasks, before they are accepted. It is not the last word: the task's own attempt checks
 * again, and makes of the input what the schema makes of it. So what cannot be told soon counts as fitting.
 */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { Json, Misfit } from '../src/contract.ts';
import { misfitOf } from './fit.ts';
import type { Registry } from './registry.ts';
import { isKnownNowhere, notHere } from './unknown-name.ts';
import { within } from './within.ts';

/** So long a worker is looked for that has the tasks, milliseconds: messages wait for it. */
const PATIENCE_MS = 10_000;
/** So long the schemas may take: one may ask elsewhere. */
const ANSWER_MS = 3000;

export async function checkInputs(
  registry: Registry,
  client: Client,
  runs: readonly { agent: string; input: Json }[],
): Promise<(Misfit | null)[]> {
  const stranger = runs.find(({ agent }) => !registry.tasks.has(agent));
  const isOver = Date.now() - Context.current().info.scheduledTimestampMs >= PATIENCE_MS;
  if (stranger !== undefined && !isOver && !(await isKnownNowhere(registry, client)))
    throw notHere('UnknownAgent', `This worker does not know "${stranger.agent}", another one may.`);
  const misfits = runs.map(() => null) as (Misfit | null)[];
  await within(ANSWER_MS, Promise.all(runs.map(async (run, i) => (misfits[i] = await misfit(registry, run)))));
  return [...misfits];
}

async function misfit(registry: Registry, { agent, input }: { agent: string; input: Json }): Promise<Misfit | null> {
  const schema = registry.tasks.get(agent)?.input;
  // A schema that throws is the task's own mistake, which its attempts tell.
  const found = schema === undefined ? undefined : await misfitOf(schema, input).catch(() => undefined);
  return found === undefined ? null : { field: registry.redact(found.field), wrong: registry.redact(found.wrong) };
}
