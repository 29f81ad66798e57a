/** One call of a custom tool. What it throws the model reads as an error result; retries are the workflow's. */
import { activityInfo, ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { Json, ToolArg } from '../src/contract.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { TOOL_OUTPUT_BYTES } from '../src/domain/state/sizes.ts';
import { OutliveClient } from '../src/client/index.ts';
import { insideOf } from '../src/nested.ts';
import { isDeeper, MOST_LEVELS } from '../src/schemas/index.ts';
import { handedBack, isShutdown, outgoing } from './failure.ts';
import { fitting, messageOf, oneLine } from './fit.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Registry } from './registry.ts';
import { ownSignal } from './signal.ts';
import { unknownName } from './unknown-name.ts';

/** In the heartbeat of a call: that it was begun. */
const BEGUN = { begun: true };
const BEGUN_BEFORE = 'The outcome of this call is unknown: it was begun before, and it must not run twice.';

export async function callTool(registry: Registry, client: Client, arg: ToolArg): Promise<Json> {
  const tool = await registry.tool(arg.agent, arg.toolName).catch((error: unknown) => {
    throw outgoing(registry, error);
  });
  if (tool === undefined)
    throw await unknownName(
      registry,
      client,
      'UnknownAgent',
      `Expected toolName to name a tool of agent "${arg.agent}", got "${arg.toolName}".`,
    );
  const { attempt: begun, heartbeatDetails: beaten } = activityInfo();
  // The server begins a call again that was to be begun once, when an operator has reset or paused it; the workflow, to have it repaired.
  if (tool.idempotent !== true && (arg.attempt > 1 || begun > 1 || beaten !== undefined))
    return withHeartbeat(
      () => BEGUN,
      async () => repaired(registry, arg),
    );
  const signal = ownSignal();
  try {
    return await withHeartbeat(
      () => BEGUN,
      async () => {
        const input = await fitting(tool.input, arg.input);
        const { sessionId, workflowId, turnId, toolCallId, attempt } = arg;
        const [runId] = workflowId.split('/').slice(1).toReversed();
        const ctx = {
          sessionId,
          workflowId,
          ...(runId === undefined ? {} : { runId }),
          turnId,
          toolCallId,
          attempt,
          signal,
          client: new OutliveClient(client, { taskQueue: registry.taskQueue }),
        };
        const raw: unknown = await insideOf(sessionId, async () => tool.execute(input, ctx));
        const output = tool.output === undefined ? raw : await fitting(tool.output, raw, 'output');
        return registry.clean(plain(output, `the output of tool ${arg.toolName}`, TOOL_OUTPUT_BYTES));
      },
      { name: `tool ${arg.toolName}` },
    );
  } catch (error) {
    if (isShutdown(signal)) throw handedBack();
    if (signal.aborted) throw new CancelledFailure('The tool call was cancelled.');
    throw outgoing(registry, error);
  }
}

/** What the app makes of a call whose outcome is unknown. @throws ApplicationFailure with what the model reads when it makes no output of it. */
async function repaired(registry: Registry, { agent, toolCallId, toolName, input }: ToolArg): Promise<Json> {
  const repair = registry.agents.get(agent)?.repairInterruptedTool;
  // What it throws at once is as little as what it rejects with.
  const ask = async (): Promise<unknown> => repair?.({ toolCallId, toolName, input });
  const made = await ask().catch(() => undefined);
  const { output, errorText } = (made ?? {}) as { output?: unknown; errorText?: unknown };
  const text = typeof errorText === 'string' && errorText.trim() !== '' ? errorText : BEGUN_BEFORE;
  const unknown = outgoing(registry, new Error(text), { type: 'OutcomeUnknown', nonRetryable: true });
  if (output === undefined) throw unknown;
  try {
    return registry.clean(plain(output, `the output of tool ${toolName}`, TOOL_OUTPUT_BYTES));
  } catch {
    throw unknown;
  }
}

/**
 * A value as plain JSON of bounded size; `undefined` is null.
 *
 * @throws ApplicationFailure not to be tried again, with one sentence: what has come of the work would come of it again.
 */
export function plain(value: unknown, what: string, most: number): Json {
  if (value === undefined) return null;
  const text = inJson(value, what);
  const parsed = JSON.parse(text) as Json;
  if (isDeeper(parsed, MOST_LEVELS))
    throw unfit('InvalidInput', `Expected ${what} to be nested at most ${MOST_LEVELS} levels deep, got more.`);
  const bytes = jsonBytes(parsed);
  if (bytes > most)
    throw unfit('ResultTooLarge', `Expected ${what} to be at most ${most} bytes of JSON, got ${bytes}.`);
  return parsed;
}

function inJson(value: unknown, what: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // Of a cycle the engine tells the way, line by line.
    throw unfit('InvalidInput', `Expected ${what} to be JSON, got what is none (${oneLine(messageOf(error))}).`);
  }
  if (text === undefined) throw unfit('InvalidInput', `Expected ${what} to be JSON, got ${typeof value}.`);
  return text;
}

function unfit(type: 'InvalidInput' | 'ResultTooLarge', sentence: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(sentence, type);
}
