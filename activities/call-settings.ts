/** What a model call is made with beside the prompt: the model itself, the instructions of this moment, and what the agent sets. */
import { ApplicationFailure } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { ask } from '../src/client/ask.ts';
import type { SessionSnapshot } from '../src/contract.ts';
import type { AgentDefinition, InstructionsContext, LanguageModel } from '../src/define.ts';
import { echo } from '../src/schemas/index.ts';
import { checkKey, modelOf } from './providers.ts';
import { ownWorkflow, unlessStopping } from './transcript.ts';

type Options = NonNullable<AgentDefinition['providerOptions']>;

export interface CallSettings {
  model: LanguageModel;
  instructions?: string;
  maxOutputTokens?: number;
  temperature?: number;
  /** Handed on as it is: nothing of ours changes it. */
  providerOptions?: { [provider: string]: Options[string] };
}

export async function callSettings(
  client: Client,
  agent: AgentDefinition,
  { workflowId, isRun }: { workflowId: string; isRun: boolean },
  isStopping: () => boolean,
): Promise<CallSettings> {
  checkKey(agent.model);
  const model = await modelOf(agent);
  const { maxOutputTokens, temperature } = agent;
  const context = async (): Promise<InstructionsContext> => {
    const own = ask<SessionSnapshot>(ownWorkflow(client, workflowId), 'getSession');
    const { sessionId, metadata } = await unlessStopping(isStopping, own);
    const runId = workflowId.split('/').at(-1);
    return { sessionId, metadata, ...(isRun && runId !== undefined ? { runId } : {}) };
  };
  const instructions = await instructionsOf(agent, context);
  const providerOptions = optionsFor(model, agent.providerOptions);
  return {
    model,
    // Providers take no blank ones.
    ...(instructions.trim() === '' ? {} : { instructions }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(providerOptions === undefined ? {} : { providerOptions }),
  };
}

async function instructionsOf(
  { name, instructions }: AgentDefinition,
  context: () => Promise<InstructionsContext>,
): Promise<string> {
  if (typeof instructions === 'string') return instructions;
  const made: unknown = await instructions(await context());
  if (typeof made === 'string') return made;
  throw ApplicationFailure.nonRetryable(
    `Expected the instructions of agent ${name} to be a text, got ${made === undefined ? 'nothing' : echo(made)}.`,
    'InvalidInput',
  );
}

/**
 * OpenAI keeps what was said for thirty days and is referred to it, unless it is told not to; a session lives longer, and has all of it in its
 * transcript. An agent that says otherwise has it otherwise.
 */
function optionsFor({ provider }: LanguageModel, given: Options | undefined): CallSettings['providerOptions'] {
  return provider === 'openai.responses' ? { ...given, openai: { store: false, ...given?.['openai'] } } : given;
}
