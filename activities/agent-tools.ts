/** The tools of an agent by their names, those of the AI SDK too: these are told to the model as they are, and called here like any other. */
import type { AgentDefinition, AiTool, Schema, ToolContext, ToolDefinition } from '../src/define.ts';

export interface AgentTool extends ToolDefinition {
  /** The AI SDK's, if it is one. */
  own?: AiTool;
}

export function toolsOf({ tools = [] }: AgentDefinition): ReadonlyMap<string, AgentTool> {
  const named = Array.isArray(tools) ? (tools as ToolDefinition[]).map((tool) => [tool.name, tool] as const) : [];
  const keyed = Array.isArray(tools) ? [] : Object.entries(tools as Record<string, AiTool | ToolDefinition>);
  return new Map([
    ...named,
    ...keyed.map(([name, tool]) => [name, isOurs(tool) ? tool : adopted(name, tool)] as const),
  ]);
}

function isOurs(tool: AiTool | ToolDefinition): tool is ToolDefinition {
  return 'input' in tool;
}

/** How a tool of the AI SDK is called: once, as nothing says that it may be called again. */
function adopted(name: string, own: AiTool): AgentTool {
  const { execute, needsApproval, outputSchema } = own;
  const options = { toolCallId: '', messages: [], context: {} };
  return {
    name,
    description: '',
    input: standard(own.inputSchema),
    ...(outputSchema === undefined ? {} : { output: standard(outputSchema) }),
    ...(needsApproval === undefined || needsApproval === false
      ? {}
      : {
          approval: needsApproval === true ? true : async (input: unknown) => needsApproval(input, options),
        }),
    execute: async (input: unknown, { toolCallId, signal }: ToolContext) =>
      lastOf(await execute?.(input, { ...options, toolCallId, abortSignal: signal })),
    own,
  };
}

/** One that answers bit by bit has its answer last. */
async function lastOf(answer: unknown): Promise<unknown> {
  if (typeof (Object(answer) as { [Symbol.asyncIterator]?: unknown })[Symbol.asyncIterator] !== 'function')
    return answer;
  let last: unknown;
  for await (const part of answer as AsyncIterable<unknown>) last = part;
  return last;
}

/** A schema of the AI SDK's own kind as one that speaks Standard Schema. */
function standard(schema: unknown): Schema<unknown> {
  if ('~standard' in Object(schema)) return schema as Schema<unknown>;
  return {
    '~standard': {
      version: 1,
      vendor: 'ai',
      validate: async (value) => {
        const { asSchema } = await import('ai');
        const checked = await asSchema(schema as Parameters<typeof asSchema>[0]).validate?.(value);
        if (checked === undefined || checked.success) return { value: checked?.value ?? value };
        const [message = 'what its schema asks for'] = checked.error.message.split('\n');
        return { issues: [{ message }] };
      },
    },
  };
}
