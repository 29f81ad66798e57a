/**
 * A language model that is a script and says so: an agent runs without a key, the same way each time. It starts what the user names and
 * its agent may start, makes the input from what was said, and tells what became of it.
 */
import { createHash } from 'node:crypto';
import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { inputFrom } from './demo-input.ts';
import { languageModel, type ModelAnswer } from './language-model.ts';
import { fields, readPrompt, type Call, type Frame } from './prompt.ts';

const START = 'start_run';
const SCHEMA = 'as JSON Schema: ';
const SAYS_SO = /\b(?:start|run|begin|launch|do)\b/iu;

interface Startable {
  name: string;
  /** Of its input, as the model was told. */
  schema: unknown;
}

/**
 * A model for `defineAgent` that needs no key and no network: to begin with, and for demonstrations. It answers the same prompt always the
 * same way.
 *
 * - When the newest message names something that the agent may start (`load_data` also as "load data"), or says "start" or "run" and there is
 *   one thing only to start, it starts that. The input is the JSON object in the message if there is one; else what the task's
 *   schema asks for, out of the numbers, quoted texts and words of the message; without a schema the message itself.
 * - When a run reports back, it says so, with the result or the reason.
 * - Else it repeats what was said, and names what it may start.
 *
 * @param options `wordMs`: pause before each word, milliseconds; default 0.
 *
 * @example
 * ```ts
 * const helper = defineAgent({ name: 'helper', instructions: 'Help.', model: demoModel(), canStart: ['count'] });
 * ```
 */
export function demoModel({ wordMs = 0 }: { wordMs?: number } = {}): LanguageModelV4 {
  return languageModel({ provider: 'outlive', modelId: 'demo', wordMs, answer: answerTo });
}

function answerTo(options: LanguageModelV4CallOptions): ModelAnswer {
  const { asked, frames, calls, turn } = readPrompt(options.prompt);
  const id = createHash('sha256').update(JSON.stringify(options.prompt)).digest('hex').slice(0, 16);
  const newest = asked.findLast(({ at }) => at >= turn)?.text;
  const made = calls.filter(({ at }) => at > turn);
  const lines = [...frames.filter(({ at }) => at >= turn).map(reportOf), ...made.map(outcomeOf)];
  if (newest === undefined || made.length > 0) return { id: `demo-${id}`, text: lines.join('\n\n'), toolCalls: [] };
  const startables = startablesOf(options);
  const wanted = named(newest, startables);
  if (wanted === undefined) {
    lines.push(smallTalk(newest, startables));
    return { id: `demo-${id}`, text: lines.join('\n\n'), toolCalls: [] };
  }
  lines.push(`I start ${wanted.name} in the background.`);
  const input = { agent: wanted.name, input: inputFrom(newest, wanted.schema) };
  return {
    id: `demo-${id}`,
    text: lines.join('\n\n'),
    toolCalls: [{ toolCallId: `demo-call-${id}`, toolName: START, input }],
  };
}

/** What the agent may start, from what its model is told of the tool. */
function startablesOf({ tools = [] }: LanguageModelV4CallOptions): Startable[] {
  const tool = tools.find(({ name }) => name === START);
  if (tool?.type !== 'function') return [];
  const { enum: names } = fields(fields(tool.inputSchema.properties)['agent']);
  const told = (tool.description ?? '').split('\n');
  let current: Startable | undefined;
  const startables = (Array.isArray(names) ? names.map(String) : []).map((name): Startable => ({
    name,
    schema: undefined,
  }));
  for (const line of told) {
    current = startables.find(({ name }) => line === `- ${name}` || line.startsWith(`- ${name}:`)) ?? current;
    if (current !== undefined && line.includes(SCHEMA)) current.schema = schemaIn(line);
  }
  return startables;
}

function schemaIn(line: string): unknown {
  try {
    return JSON.parse(line.slice(line.indexOf(SCHEMA) + SCHEMA.length));
  } catch {
    return undefined;
  }
}

/** The one whose name stands in the message; the longest, when several do. */
function named(text: string, startables: readonly Startable[]): Startable | undefined {
  const found = startables
    .filter(({ name }) => {
      const words = name.split(/[._-]+/u).map((word) => word.replaceAll(/[^A-Za-z0-9]/gu, ''));
      return new RegExp(`\\b${words.join('[\\s._-]*')}\\b`, 'iu').test(text);
    })
    .toSorted((a, b) => b.name.length - a.name.length)[0];
  return found ?? (startables.length === 1 && SAYS_SO.test(text) ? startables[0] : undefined);
}

function outcomeOf({ name, input, result, error }: Call): string {
  if (error !== undefined) return `${name} did not work: ${error}`;
  if (name !== START) return `${name} answered ${JSON.stringify(result ?? null)}.`;
  return `${String(input['agent'])} is ${String(result?.['status'])} as ${String(result?.['runId'])}. I end my turn here and say so when it reports back.`;
}

function reportOf({ id, agent, status, body }: Frame): string {
  const milestone = fields(body['milestone'])['name'];
  if (typeof milestone === 'string') return `${agent} (${id}) has reached "${milestone}".`;
  if ('question' in body) return `${agent} (${id}) asks: ${String(body['question'])}`;
  const { message } = fields(body['error']);
  const why = message ?? body['reason'];
  const said = typeof why === 'string' ? why : JSON.stringify(why);
  const what = 'result' in body ? `: ${JSON.stringify(body['result'])}` : why === undefined ? '' : `: ${said}`;
  return `${agent} (${id}) is ${status}${what}`;
}

function smallTalk(text: string, startables: readonly Startable[]): string {
  const names = startables.map(({ name }) => name).join(', ');
  const can = names === '' ? 'There is nothing that I may start.' : `Name what I may start, and I do: ${names}.`;
  return `You said: "${text.slice(0, 200)}". I am the demo model, a script that needs no key. ${can}`;
}
