/**
 * Language models by name. The packages of the providers are the app's to install: they are loaded when a worker that serves models starts, so
 * that a missing one is told then and not in a turn. Keys are read by the packages from the environment, with each call.
 */
import type { LanguageModelV4 } from '@ai-sdk/provider';
import type { AgentDefinition, LanguageModel } from '../src/define.ts';
import { InvalidInput } from '../src/errors.ts';
import { parseModelName, PROVIDERS, valueOf, type ModelName, type Provider } from '../src/model-names.ts';

/** What keeps a provider from being asked at all: no further attempt would change it. */
export class NotConfigured extends Error {
  override readonly name = 'ProviderError';
}

/** How a model is made of its name, for each provider; each brings its package. */
const MAKERS: Record<ModelName['provider'], (modelId: string) => Promise<LanguageModelV4>> = {
  anthropic: async (modelId) => (await import('@ai-sdk/anthropic')).createAnthropic()(modelId),
  openai: async (modelId) => (await import('@ai-sdk/openai')).createOpenAI()(modelId),
  'openai-compatible': async (modelId) => {
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
    const { baseUrl, keys } = PROVIDERS['openai-compatible'];
    const apiKey = valueOf(keys);
    return createOpenAICompatible({
      name: 'openai-compatible',
      baseURL: valueOf([baseUrl]) ?? '',
      includeUsage: true,
      ...(apiKey === undefined ? {} : { apiKey }),
    })(modelId);
  },
  gateway: async (modelId) => (await import('ai')).gateway(modelId),
};

/**
 * Looks whether all that the agents' models need is installed.
 *
 * @throws InvalidInput when something is not.
 */
export async function checkProviders(agents: readonly AgentDefinition[]): Promise<void> {
  const [first] = agents;
  if (first === undefined) return;
  await installed('ai', async () => import('ai'), `agent ${first.name} needs it to call its model`);
  for (const agent of agents) {
    if (typeof agent.model === 'string') await modelOf(agent);
    if (agent.mcp !== undefined)
      await installed('@ai-sdk/mcp', async () => import('@ai-sdk/mcp'), `agent ${agent.name} has MCP servers`);
  }
}

/**
 * The model of an agent.
 *
 * @throws InvalidInput when what it needs is not installed.
 */
export async function modelOf({ name, model }: Pick<AgentDefinition, 'name' | 'model'>): Promise<LanguageModel> {
  if (typeof model !== 'string') return model;
  const { provider, modelId } = parseModelName(model, `model of agent ${name}`);
  const { package: needed, baseUrl, needsBaseUrl }: Provider = PROVIDERS[provider];
  if (needsBaseUrl && baseUrl !== undefined && valueOf([baseUrl]) === undefined)
    throw new InvalidInput(
      `Expected ${baseUrl} to be set, as http://127.0.0.1:11434/v1 is for Ollama: agent ${name} has the model "${model}".`,
    );
  return installed(needed, async () => MAKERS[provider](modelId), `agent ${name} has the model "${model}"`);
}

/**
 * Looks whether the environment has the key for a model that is named.
 *
 * @throws NotConfigured when it has not.
 */
export function checkKey(model: AgentDefinition['model']): void {
  if (typeof model !== 'string') return;
  const { keys, needsKey }: Provider = PROVIDERS[parseModelName(model, 'model').provider];
  if (needsKey && valueOf(keys) === undefined)
    throw new NotConfigured(
      `Expected ${keys.join(' or ')} to be set where the worker runs: it is the key for the model "${model}".`,
    );
}

async function installed<T>(name: string, load: () => Promise<T>, why: string): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    throw new InvalidInput(`Expected the package ${name} to be installed (npm install ${name}): ${why}.`);
  }
}

/** That this package is not there, and not one that it needs itself. */
function isMissing(error: unknown, name: string): boolean {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  return code === 'ERR_MODULE_NOT_FOUND' && typeof message === 'string' && message.includes(`'${name}'`);
}
