/** What a provider's failure comes to, by whichever of the AI SDK's error classes it is told. */
import { APICallError } from 'ai';
import { NotConfigured } from './providers.ts';

export interface ProviderFailure {
  message: string;
  /** Of HTTP, if there was an answer. */
  statusCode?: number;
  /** Whether the same call may be answered later. */
  isRetryable: boolean;
  /** As the provider asks for, milliseconds. */
  retryAfterMs?: number;
}

/** No provider is waited for longer, milliseconds. */
const MOST_WAIT_MS = 600_000;

/** What cannot be asked for at all: by this agent, with this package, without a key. */
const HOPELESS = new Set([
  'AI_InvalidArgumentError',
  'AI_InvalidPromptError',
  'AI_LoadAPIKeyError',
  'AI_LoadSettingError',
  'AI_NoSuchModelError',
  'AI_NoSuchProviderError',
  'AI_UnsupportedFunctionalityError',
  'AI_UnsupportedModelVersionError',
]);
/** What was answered and is none. */
const BROKEN = new Set([
  'AI_EmptyResponseBodyError',
  'AI_InvalidResponseDataError',
  'AI_JSONParseError',
  'AI_NoOutputGeneratedError',
  'AI_TypeValidationError',
]);

/** What the gateway says of a missing key is a page with colours. */
const NO_GATEWAY_KEY = 'The AI gateway did not take the key: set AI_GATEWAY_API_KEY where the worker runs.';
const GATEWAY_KEY = ['GatewayAuthenticationError', 'GatewayError'];

/** The failure, if it is one of the provider's: a refusal, an overload, a connection that came to nothing, or what keeps it from being asked. */
export function providerFailure(error: unknown): ProviderFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof NotConfigured || HOPELESS.has(error.name)) return { message: error.message, isRetryable: false };
  if (GATEWAY_KEY.includes(error.name) && /unauthenticated|authentication failed/iu.test(error.message))
    return { message: NO_GATEWAY_KEY, statusCode: 401, isRetryable: false };
  const { isRetryable, statusCode } = error as { isRetryable?: unknown; statusCode?: unknown };
  // Those of a call, of an error on the stream and of the gateway have both, each in a class of its own.
  if (typeof isRetryable !== 'boolean' || isBrokenAnswer(error)) return undefined;
  const wait = retryAfterMs(headersOf(error));
  return {
    message: messageOf(error, statusCode),
    ...(typeof statusCode === 'number' ? { statusCode } : {}),
    isRetryable,
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  };
}

/**
 * True when the provider does not take reasoning that it has given out itself: since another model takes it back, or another provider, or what stands
 * before it has changed since. Without it the rest is as good as before.
 */
export function refusesReasoning(error: unknown): boolean {
  const { statusCode, message = '' } = providerFailure(error) ?? {};
  const isRefusal = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  return isRefusal && /thinking. block|encrypted content|Item with id 'rs_|of type 'reasoning'/iu.test(message);
}

/** Where the body of a refusal is not as the package knows it, it has only the words of HTTP, or none. */
function messageOf(error: Error, statusCode: unknown): string {
  if (error.message.trim() !== '') return error.message;
  return `The provider answered with status ${String(statusCode)} and no words.`;
}

function headersOf(error: unknown): Record<string, string> {
  for (let at = error; at instanceof Error; at = at.cause)
    if (APICallError.isInstance(at) && at.responseHeaders !== undefined) return at.responseHeaders;
  return {};
}

/** By `retry-after`, in seconds or as a date, or in the milliseconds that some providers say beside it. */
function retryAfterMs(headers: Record<string, string>): number | undefined {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN);
  const said = headers['retry-after'] ?? '';
  const seconds = said.trim() === '' ? Number.NaN : Number(said);
  const ms = [exact, seconds * 1000, Date.parse(said) - Date.now()].find((one) => Number.isFinite(one) && one > 0);
  return ms === undefined ? undefined : Math.min(Math.round(ms), MOST_WAIT_MS);
}

/** It has answered, but not with what a package knows. */
function isBrokenAnswer(error: unknown): boolean {
  return APICallError.isInstance(error) && error.statusCode !== undefined && error.statusCode < 300;
}

/** An answer that is none, or a connection that broke while it came: the words for that are as many as packages. */
export function isBroken(error: unknown): boolean {
  if (isBrokenAnswer(error) || (error instanceof Error && BROKEN.has(error.name))) return true;
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && /^(?:UND_ERR_|ECONN|EPIPE|ERR_STREAM_PREMATURE)/u.test(code)) return true;
  }
  return false;
}
