/**
 * The model of a chaos run: behind a server of its own, which nobody kills. It follows the script in the last input, and answers what its
 * runs ask. Each answer has a number, at the beginning of its text, and is a line among the effects: so whoever reads a log can tell which
 * answers were taken, and whether a step was asked again after that.
 */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  ModelServer,
  textOf,
  type ChatMessage,
  type ModelCall,
  type Reply,
  type ToolUse,
} from '../test/support/model-server.ts';
import { append } from './effects.ts';
import { labelOf, type Call, type Script } from './script.ts';

const NARRATED = 'Background run ';
const FRAME = /^<background-run id="([^"]*)"/u;
const PARENT = 'parent, what now?';

export async function startModel(effectsFile: string): Promise<ModelServer> {
  const refused = new Set<string>();
  let answers = 0;
  return ModelServer.start(async (call): Promise<Reply> => {
    const messages = call.messages.flatMap(apart).filter((message) => !isNarrated(message) && !isFiller(message));
    const key = keyOf(messages);
    const { script, step, calls } = present(messages);
    await pause(script?.thinkMs ?? 0);
    if (script?.refused === step && !refused.has(key)) {
      refused.add(key);
      return { status: 503 };
    }
    const answer = (answers += 1);
    const [inputTokens, outputTokens] = [10 + (answer % 7), 5 + (answer % 3)];
    append(effectsFile, { kind: 'model', key, answer, inputTokens, outputTokens, worker: workerOf(call) });
    const text = `#${answer} ${script === undefined ? 'read' : `${script.key} ${step}`}`;
    const usage = {
      prompt_tokens: inputTokens,
      completion_tokens: outputTokens,
      total_tokens: inputTokens + outputTokens,
    };
    return calls.length === 0
      ? { text, usage }
      : { text, usage, tools: calls.map((one) => use(one, answer, messages)) };
  });
}

function workerOf({ model }: ModelCall): string {
  return model;
}

/** Neighbouring messages of a user's come as one: each part was a message of its own. */
function apart(message: ChatMessage): ChatMessage[] {
  const { role, content } = message;
  return role === 'user' && Array.isArray(content)
    ? content.map(({ text = '' }) => ({ role, content: text }))
    : [message];
}

/** Lines of the framework may come in between two attempts of a step; a message that is nothing else has no answer of this model in it. */
function isNarrated(message: ChatMessage): boolean {
  const said = textOf(message);
  return message.role === 'assistant' && said.startsWith(NARRATED) && !/#\d+ /u.test(said);
}

/** What the framework says where a provider wants something to be said. */
function isFiller(message: ChatMessage): boolean {
  return message.role === 'user' && textOf(message).startsWith('(The');
}

/** A conversation is known by its first message, which no other has, and a step by how many messages come before it. */
function keyOf(messages: readonly ChatMessage[]): string {
  const first = messages.find(({ role }) => role === 'user');
  return `${createHash('sha256').update(textOf(first)).digest('hex').slice(0, 16)} ${messages.length}`;
}

type Todo = Call | { tool: 'message_run'; runId: string };

/** What the present turn is to do, how many of its steps are done, and the calls of the next one. */
function present(messages: readonly ChatMessage[]): { script?: Script; step: number; calls: readonly Todo[] } {
  const last = messages.findLastIndex(({ role }) => role === 'user');
  const step = messages.slice(last + 1).filter(({ role }) => role === 'assistant').length;
  const text = textOf(messages[last]);
  if (text.startsWith('{')) {
    const script = JSON.parse(text) as Script;
    return { script, step, calls: script.steps[step] ?? [] };
  }
  return { step, calls: step === 0 ? answersTo(messages, last) : [] };
}

/** The open questions to this agent among the inputs of the turn. */
function answersTo(messages: readonly ChatMessage[], last: number): Todo[] {
  const first = messages.slice(0, last).findLastIndex(({ role }) => role !== 'user') + 1;
  return messages.slice(first, last + 1).flatMap((message): Todo[] => {
    const text = textOf(message);
    const runId = FRAME.exec(text)?.[1];
    const asks = text.includes(JSON.stringify(PARENT)) && !text.includes('"status":"closed"');
    return runId !== undefined && asks ? [{ tool: 'message_run', runId }] : [];
  });
}

function use(call: Todo, answer: number, messages: readonly ChatMessage[]): ToolUse {
  return { name: call.tool, input: inputOf(call, answer, messages) };
}

function inputOf(call: Todo, answer: number, messages: readonly ChatMessage[]): unknown {
  switch (call.tool) {
    case 'charge':
    case 'note':
      return { answer };
    case 'start_run': {
      const { agent, input, wait, detachAfterMs } = call;
      const label = labelOf({
        ...(agent === 'work' ? { units: input.units } : {}),
        ...(wait === true ? { waited: true } : {}),
      });
      // A script that is followed twice starts two conversations, which begin differently.
      const own = agent === 'helper' ? { ...input, key: `${answer}.${input.key}` } : input;
      return {
        agent,
        input: own,
        label,
        ...(wait === true ? { wait, ...(detachAfterMs === undefined ? {} : { detachAfterMs }) } : {}),
      };
    }
    case 'report_milestone':
      return { name: call.name };
    case 'ask_parent':
      return { question: call.who === 'parent' ? PARENT : 'person, what now?' };
    case 'message_run':
      return { runId: call.runId, message: `go on, ${answer}` };
    case 'cancel_run':
    case 'inspect_run':
      return { runId: lastStarted(messages) };
    case 'list_runs':
      return {};
    default:
      return call satisfies never;
  }
}

/** The run that was started last, as the tool's results say. */
function lastStarted(messages: readonly ChatMessage[]): string {
  const started = messages
    .filter(({ role }) => role === 'tool')
    .flatMap((message) => [...textOf(message).matchAll(/"runId":"(r-[^"]+)"/gu)].map(([, runId]) => runId));
  return started.at(-1) ?? 'none';
}
