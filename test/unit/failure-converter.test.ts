/** What an error says is encoded with codecs, save what only the caller of a query reads. */
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { expect, test } from 'vitest';
import { ASK_AGAIN, PLAIN } from '../../src/contract.ts';
import { failuresEncoded } from '../../src/failure-converter.ts';

const converter = failuresEncoded(() => true);

test('S-04 a failure and its causes keep their types and are otherwise encoded, and come back whole', () => {
  const failure = converter.errorToFailure(
    ApplicationFailure.create({ message: 'secret', type: 'Lost', cause: new Error('deep secret') }),
    defaultPayloadConverter,
  );
  expect([failure.message, failure.cause?.message]).toEqual(['Encoded failure', 'Encoded failure']);
  expect([failure.stackTrace, failure.cause?.stackTrace]).toEqual(['', '']);
  expect(failure.applicationFailureInfo).toMatchObject({ type: 'Lost' });
  const back = converter.failureToError(failure, defaultPayloadConverter);
  expect([back.message, (back.cause as Error).message]).toEqual(['secret', 'deep secret']);
});

test('S-04 what a query is refused with stays plain, since Temporal hands on only its text', () => {
  for (const error of [
    new Error(ASK_AGAIN),
    Object.assign(ApplicationFailure.nonRetryable('Expected more.', 'InvalidInput'), { [PLAIN]: true }),
  ])
    expect(converter.errorToFailure(error, defaultPayloadConverter).message).toBe(error.message);
});
