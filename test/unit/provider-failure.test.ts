/** What a provider's failure comes to, of kinds that no server of the tests brings about. */
import { APICallError, LoadAPIKeyError, NoSuchModelError, StreamProviderError, createGateway } from 'ai';
import { expect, test } from 'vitest';
import { isBroken, providerFailure } from '../../activities/provider-failure.ts';
import { refusal } from '../support/strict.ts';
import { ModelServer } from '../support/model-server.ts';

const call = (more: object): APICallError =>
  new APICallError({ message: 'no', url: 'http://127.0.0.1', requestBodyValues: {}, statusCode: 429, ...more });

test('T-16 what a provider asks for as a date is waited for, at most ten minutes, and nothing where it cannot be read', () => {
  const wait = (value: string): number | undefined =>
    providerFailure(call({ responseHeaders: { 'retry-after': value } }))?.retryAfterMs;
  expect(wait(new Date(Date.now() + 3_600_000).toUTCString())).toBe(600_000);
  expect(wait(new Date(Date.now() - 3_600_000).toUTCString())).toBeUndefined();
  expect([wait('soon'), wait(''), wait('0'), wait('-3')]).toEqual([undefined, undefined, undefined, undefined]);
  expect(wait('1.5')).toBe(1500);
});

test('T-16 a refusal without words is told by its status', () => {
  expect(providerFailure(call({ message: '', statusCode: 418 }))).toEqual({
    message: 'The provider answered with status 418 and no words.',
    statusCode: 418,
    isRetryable: false,
  });
});

test.each([
  new LoadAPIKeyError({ message: 'A key is missing.' }),
  new NoSuchModelError({ modelId: 'x', modelType: 'languageModel' }),
])('T-16 %s is not worth another attempt', (error) => {
  expect(providerFailure(error)).toEqual({ message: error.message, isRetryable: false });
});

test('T-16 an error of the stream says itself whether it may pass', () => {
  const error = new StreamProviderError({ message: 'Busy.', statusCode: 503, data: {} });
  expect(providerFailure(error)).toEqual({ message: 'Busy.', statusCode: 503, isRetryable: true });
});

test.each([
  [429, 'rate_limit_exceeded', true, 3000],
  [404, 'model_not_found', false, undefined],
  [401, 'authentication_error', false, undefined],
])('T-16 status %i of the gateway is told like any other', async (status, type, isRetryable, retryAfterMs) => {
  const answer = refusal(status, 'Not now.', status === 429 ? { 'retry-after': '3' } : {}) as { body: string };
  const model = await ModelServer.start(() => ({
    status,
    ...answer,
    body: answer.body.replace('invalid_request_error', type),
  }));
  try {
    const asked = createGateway({ baseURL: model.url, apiKey: 'a key' })('anthropic/claude').doStream({ prompt: [] });
    const failure = providerFailure(await asked.then(undefined, (error: unknown) => error));
    expect(failure).toMatchObject({ statusCode: status, isRetryable });
    expect(failure?.retryAfterMs).toBe(retryAfterMs);
    expect(failure?.message).toContain(status === 401 ? 'AI_GATEWAY_API_KEY' : 'Not now.');
    expect(failure?.message).not.toContain('\n');
  } finally {
    await model.stop();
  }
});

test('T-21 a connection that breaks while it is read is a broken answer, by whatever error it is told; an error of an app is none', () => {
  const closed = Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
  expect(isBroken(new TypeError('terminated', { cause: closed }))).toBe(true);
  expect(isBroken(call({ statusCode: 200 }))).toBe(true);
  expect(isBroken(call({}))).toBe(false);
  expect([new Error('mine'), 'text', undefined].map(isBroken)).toEqual([false, false, false]);
  expect(providerFailure(new Error('mine'))).toBeUndefined();
});
