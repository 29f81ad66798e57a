/** The tools that an agent's model is told of: its own, and the runtime's when it may start something. None has `execute`. */
import { tool, type ToolSet } from 'ai';
import { z } from 'zod';
import type { AgentDefinition } from '../src/define.ts';
import type { Registry } from './registry.ts';

/** A description of everything that the agent may start, for its model. */
function startable(registry: Registry, agent: AgentDefinition): string {
  return (agent.canStart ?? []).map((name) => {
    const description = registry.agents.get(name)?.description ?? registry.tasks.get(name)?.description;
    return description === undefined ? `- ${name}` : `- ${name}: ${description}`;
  }).join('\n');
}

export function toolset(registry: Registry, agent: AgentDefinition): ToolSet {
  const tools: ToolSet = {};
  for (const one of agent.tools ?? []) tools[one.name] = tool({ description: one.description, inputSchema: one.input });
  const [first, ...rest] = agent.canStart ?? [];
  if (first !== undefined) {
    tools['start_run'] = tool({
      description: 'Starts a background run and answers at once with { runId, workflowId, status }. The run goes on by itself: go on with your work, or end your turn. '
        + `Its outcome arrives later as a message of its own, framed as <background-run>. Do not wait or ask for it. What can be started:\n${startable(registry, agent)}`,
      inputSchema: z.object({
        agent: z.enum([first, ...rest]).describe('What to start.'),
        input: z.unknown().describe('What it is to work on, as JSON.'),
        label: z.string().max(200).optional().describe('A few words that tell this run from others.'),
      }),
    });
  }
  return tools;
}
