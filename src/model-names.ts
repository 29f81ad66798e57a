/**
 * Models by name, `"provider:model"`: which providers there are, the package that speaks to each, and the environment variables that it is
 * told by. What comes behind the first colon is the provider's own and is not looked at.
 */
import { InvalidInput } from './errors.ts';

export interface Provider {
  /** The package that has to be installed beside `ai`. */
  package: string;
  /** The variables that may have the key, the first one first; a provider that needs none has a key that may be left out. */
  keys: readonly string[];
  needsKey: boolean;
  /** The variable that says where it is; without one, and without a default, it is nowhere. */
  baseUrl?: string;
  needsBaseUrl?: true;
}

export const PROVIDERS = {
  anthropic: {
    package: '@ai-sdk/anthropic',
    keys: ['ANTHROPIC_API_KEY'],
    needsKey: true,
    baseUrl: 'ANTHROPIC_BASE_URL',
  },
  openai: { package: '@ai-sdk/openai', keys: ['OPENAI_API_KEY'], needsKey: true, baseUrl: 'OPENAI_BASE_URL' },
  'openai-compatible': {
    package: '@ai-sdk/openai-compatible',
    keys: ['OPENAI_COMPATIBLE_API_KEY'],
    needsKey: false,
    baseUrl: 'OPENAI_COMPATIBLE_BASE_URL',
    needsBaseUrl: true,
  },
  gateway: { package: 'ai', keys: ['AI_GATEWAY_API_KEY', 'VERCEL_OIDC_TOKEN'], needsKey: true },
} as const satisfies Record<string, Provider>;

export type ProviderName = keyof typeof PROVIDERS;

export interface ModelName {
  provider: ProviderName;
  modelId: string;
}

/** Every variable that may have a provider's key. */
export const KEY_VARIABLES: readonly string[] = Object.values(PROVIDERS).flatMap(({ keys }) => keys);

/**
 * The two halves of `"provider:model"`.
 *
 * @throws InvalidInput when there are no two, or nobody knows the provider.
 */
export function parseModelName(name: string, what: string): ModelName {
  const at = name.indexOf(':');
  const provider = name.slice(0, Math.max(at, 0));
  const modelId = name.slice(at + 1);
  const known = Object.keys(PROVIDERS).join(', ');
  if (at < 0 || modelId.trim() === '')
    throw new InvalidInput(
      `Expected ${what} to be a language model of the AI SDK or "provider:model" with one of ${known}, got ${JSON.stringify(name)}.`,
    );
  if (!Object.hasOwn(PROVIDERS, provider))
    throw new InvalidInput(
      `Expected the provider in ${what} to be one of ${known}, got ${JSON.stringify(provider)} in ${JSON.stringify(name)}.`,
    );
  return { provider: provider as ProviderName, modelId };
}

/** The value of the first variable that has one; one that is set to nothing counts as not set. */
export function valueOf(variables: readonly string[], env: NodeJS.ProcessEnv = process.env): string | undefined {
  return variables.map((name) => env[name]).find((value) => value !== undefined && value.trim() !== '');
}
