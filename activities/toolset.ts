/** The tools that an agent's model is told of: its own, and the runtime's when it may start something. None has `execute`. */
import { asSchema, jsonSchema, tool, type FlexibleSchema, type JSONSchema7, type ToolSet } from 'ai';
import { z } from 'zod';
import type { AgentDefinition, Schema } from '../src/define.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import type { AgentTool } from './agent-tools.ts';
import type { Registry } from './registry.ts';

const STATUSES = ['queued', 'running', 'input_required', 'interrupted', 'completed', 'failed', 'cancelled'] as const;

/** A larger schema would fill the prompt of each call. */
const SCHEMA_BYTES = 16 * 1024;

/** A description of everything that the agent may start, for its model. */
async function startable(registry: Registry, agent: AgentDefinition): Promise<string> {
  const lines = (agent.canStart ?? []).map(async (name) => {
    const task = registry.tasks.get(name);
    const description = registry.agents.get(name)?.description ?? task?.description;
    const schema = task?.input === undefined ? undefined : await jsonSchemaOf(task.input);
    return [
      `- ${name}`,
      ...(description === undefined ? [] : [`: ${description}`]),
      ...(schema === undefined ? [] : [`\n  Its input, as JSON Schema: ${schema}`]),
    ].join('');
  });
  return (await Promise.all(lines)).join('\n');
}

/** The schema of input for a model to read; nothing of one that has no such form, or a large one. */
async function jsonSchemaOf(schema: Schema<unknown>): Promise<string | undefined> {
  const written = await inJson(schema);
  return written === undefined || jsonBytes(written) > SCHEMA_BYTES ? undefined : JSON.stringify(written);
}

/** A schema as JSON Schema; not every library can write that. */
async function inJson(schema: Schema<unknown>): Promise<JSONSchema7 | undefined> {
  try {
    const { $schema: _dialect, ...rest } = await asSchema(schema).jsonSchema;
    return rest;
  } catch {
    return undefined;
  }
}

/** What the model is told of a tool: nothing runs it but our own call. */
function toldOf({ description, input, own }: AgentTool): ToolSet[string] {
  if (own === undefined) return tool({ description, inputSchema: checkedOnly(input) });
  const { execute: _execute, needsApproval: _needsApproval, outputSchema: _outputSchema, ...told } = own;
  if ('type' in told && told.type === 'provider') return told as unknown as ToolSet[string];
  return { ...told, inputSchema: checkedOnly(own.inputSchema as Schema<unknown>) } as ToolSet[string];
}

/** A schema that leaves input as the model gave it: the call itself makes of it what the schema makes of it, once. */
function checkedOnly(schema: Schema<unknown>): FlexibleSchema<unknown> {
  const own = asSchema(schema);
  return jsonSchema(async () => (await inJson(schema)) ?? { type: 'object' }, {
    validate: async (value) => {
      const checked = await own.validate?.(value);
      return checked?.success === false ? checked : { success: true, value };
    },
  });
}

/** Whether a result fits is told with the call: see `model.ts`. */
function resultSchema(output: Schema<unknown> | undefined): FlexibleSchema<unknown> {
  return jsonSchema(async () => ({
    type: 'object',
    properties: { result: (output === undefined ? undefined : await inJson(output)) ?? {} },
    required: ['result'],
    additionalProperties: false,
  }));
}

/** `isRun`: the agent has a parent to speak to. */
export async function toolset(registry: Registry, agent: AgentDefinition, isRun: boolean): Promise<ToolSet> {
  const tools: ToolSet = {};
  for (const [name, one] of await registry.allTools(agent.name)) tools[name] = toldOf(one);
  const [first, ...rest] = agent.canStart ?? [];
  if (first !== undefined) {
    tools['start_run'] = tool({
      description:
        'Starts a background run and answers at once with { runId, workflowId, status }. The run goes on by itself: go on with your work, or end your turn. ' +
        `Its outcome arrives later as a message of its own, framed as <background-run>. Do not wait or ask for it. What can be started:\n${await startable(registry, agent)}`,
      inputSchema: z.object({
        agent: z.enum([first, ...rest]).describe('What to start.'),
        input: z.unknown().describe('What it is to work on, as JSON.'),
        label: z.string().max(200).optional().describe('A few words that tell this run from others.'),
        wait: z
          .boolean()
          .optional()
          .describe(
            'Only when you can do nothing before it has ended: wait for it and read { runId, status, result or error } as the answer.',
          ),
        detachAfterMs: z
          .number()
          .int()
          .min(1)
          .optional()
          .describe('With wait: after so many milliseconds go on; the outcome arrives later as a message.'),
      }),
    });
    const runId = z.string().describe('The id that start_run answered.');
    tools['list_runs'] = tool({
      description: 'Lists the runs that were started here, oldest first, with status and progress: { runs, hasMore }.',
      inputSchema: z.object({ status: z.enum(STATUSES).optional().describe('Only runs in this status.') }),
    });
    tools['inspect_run'] = tool({
      description:
        'Looks at one run now: status, progress, milestones and, once it has settled, its outcome. The answer is framed as <background-run>.',
      inputSchema: z.object({ runId }),
    });
    tools['message_run'] = tool({
      description:
        'Says something to a run that has not settled. If the run has asked a question, the first message is the answer.',
      inputSchema: z.object({ runId, message: z.string().min(1) }),
    });
    tools['cancel_run'] = tool({
      description:
        'Cancels a run and those that it started: { runId, status, cancelled, pending }. You are not told of it again.',
      inputSchema: z.object({ runId, reason: z.string().max(2000).optional() }),
    });
  }
  if (isRun) {
    tools['report_milestone'] = tool({
      description: 'Tells whoever started you that a named point is reached. Letters, digits, ".", "_" and "-" only.',
      inputSchema: z.object({
        name: z.string().min(1).max(64),
        data: z.unknown().optional().describe('A little JSON.'),
      }),
    });
    tools['report_result'] = tool({
      description:
        'Gives whoever started you the result of your work. Call it once you are done, and again to replace what you gave; the last one counts.',
      inputSchema: resultSchema(agent.output),
    });
    tools['ask_parent'] = tool({
      description:
        'Asks whoever started you and waits for the answer, however long that takes: { requestId, status, answer }. Only for what you cannot find out or decide yourself.',
      inputSchema: z.object({ question: z.string().min(1).max(2000) }),
    });
  }
  return tools;
}
