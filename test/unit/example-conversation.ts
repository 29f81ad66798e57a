/** A conversation with the builder without the runtime: `streamText` with the real tools, a `start_run` that only remembers, and framed reports. */
import { stepCountIs, streamText, tool, type ModelMessage, type ToolSet } from 'ai';
import { z } from 'zod';
import type { AgentDefinition, ToolDefinition } from '../../src/define.ts';
import { frame } from '../../src/domain/delivery/frame.ts';
import type { Json } from '../../src/contract.ts';
import { toolContext } from './example-support.ts';

export interface Told {
  calls: { toolName: string; toolCallId: string; input: Record<string, unknown> }[];
  text: string;
  errors: unknown[];
}

export class Conversation {
  readonly messages: ModelMessage[] = [];
  readonly started: { agent: string; input: Record<string, unknown>; label?: string }[] = [];
  /** What `start_run` answers; throws it when it is an error. */
  startAnswer: () => Json = () => ({
    runId: `r-${this.started.length}`,
    workflowId: `s/r-${this.started.length}`,
    status: 'running',
  });
  readonly #agent: AgentDefinition;
  readonly #tools: ToolSet;

  constructor(agent: AgentDefinition, more: ToolDefinition<any, any>[] = agent.tools as ToolDefinition<any, any>[]) {
    this.#agent = agent;
    this.#tools = Object.fromEntries(
      more.map((one) => [
        one.name,
        tool({
          description: one.description,
          inputSchema: one.input as z.ZodType,
          execute: async (input: unknown): Promise<unknown> => one.execute(input, toolContext),
        }),
      ]),
    );
    this.#tools['start_run'] = tool({
      inputSchema: z.object({
        agent: z.string(),
        input: z.record(z.string(), z.unknown()),
        label: z.string().optional(),
      }),
      execute: (input) => {
        this.started.push({
          agent: input.agent,
          input: input.input,
          ...(input.label === undefined ? {} : { label: input.label }),
        });
        return this.startAnswer();
      },
    });
  }

  async say(content: string): Promise<Told> {
    this.messages.push({ role: 'user', content });
    const told: Told = { calls: [], text: '', errors: [] };
    const result = streamText({
      model: this.#agent.model,
      instructions: String(this.#agent.instructions),
      messages: this.messages,
      tools: this.#tools,
      stopWhen: stepCountIs(20),
      maxRetries: 0,
    });
    for await (const part of result.stream) {
      if (part.type === 'tool-call')
        told.calls.push({
          toolName: part.toolName,
          toolCallId: part.toolCallId,
          input: part.input as Record<string, unknown>,
        });
      if (part.type === 'error' || part.type === 'tool-error') told.errors.push(part.error);
      if (part.type === 'start-step') told.text = '';
      if (part.type === 'text-delta') told.text += part.text;
    }
    this.messages.push(...(await result.responseMessages));
    return told;
  }

  /** Delivers what the runtime delivers: a user-role message with the frame around the outcome. */
  async report(id: string, status: string, body: Json, agent = 'load_data'): Promise<Told> {
    return this.say(frame({ id, agent, status, key: `bg-task:s:${id}` }, body));
  }
}
