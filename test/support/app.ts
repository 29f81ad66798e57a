/** The app that most tests run: one agent behind a scripted model, and tasks that wait for a gate. */
import {
  defineAgent,
  defineTask,
  type AgentDefinition,
  type TaskContext,
  type TaskDefinition,
} from '../../src/define.ts';
import type { Json } from '../../src/contract.ts';
import { Gate, modelAt } from './harness.ts';

/** Answers its input. */
export const echo: TaskDefinition<Json, Json> = defineTask({ name: 'echo', run: (input: Json) => input });

/** A task that the test lets go by hand, and whose starts it sees. */
export interface Gated {
  task: TaskDefinition<Json, Json>;
  /** Opens for everyone who waits and will wait. */
  gate: Gate;
  started: { runId: string; attempt: number }[];
  aborted: string[];
}

export function gated(
  name = 'gated',
  work: (input: Json, ctx: TaskContext) => Json | Promise<Json> = (input) => input,
): Gated {
  const gate = new Gate();
  const started: Gated['started'] = [];
  const aborted: string[] = [];
  const task = defineTask({
    name,
    run: async (input: Json, ctx: TaskContext) => {
      started.push({ runId: ctx.runId, attempt: ctx.attempt });
      const abortion = new Promise<never>((_, reject) => {
        ctx.signal.addEventListener('abort', () => {
          aborted.push(ctx.runId);
          reject(ctx.signal.reason as Error);
        });
      });
      await Promise.race([gate.opened, abortion]);
      return work(input, ctx);
    },
  });
  return { task, gate, started, aborted };
}

export function agentAt(url: string, given: Partial<AgentDefinition> = {}): AgentDefinition {
  return defineAgent({ name: 'helper', instructions: 'Help.', model: modelAt(url), ...given });
}
