/** What a provider's package throws when its server refuses: made without the AI SDK, and known to it as one of its own. */

const AI_SDK = Symbol.for('vercel.ai.error');
const API_CALL = Symbol.for('vercel.ai.error.AI_APICallError');
const AGAIN = [408, 409, 429];

export class ProviderError extends Error {
  override readonly name = 'AI_APICallError';
  readonly [AI_SDK] = true;
  readonly [API_CALL] = true;
  readonly url = 'scripted:';
  readonly requestBodyValues = {};
  readonly statusCode: number;
  readonly responseHeaders: Record<string, string>;
  readonly isRetryable: boolean;

  constructor(
    message: string,
    { statusCode = 400, retryAfterMs }: { statusCode?: number; retryAfterMs?: number } = {},
  ) {
    super(message);
    this.statusCode = statusCode;
    this.responseHeaders = retryAfterMs === undefined ? {} : { 'retry-after': String(retryAfterMs / 1000) };
    this.isRetryable = AGAIN.includes(statusCode) || statusCode >= 500;
  }
}
