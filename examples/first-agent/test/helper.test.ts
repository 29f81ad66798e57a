/** The agent on a real Temporal server, which the test starts, with a model that says what the test tells it to say. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { atRest, scriptedModel, startTestEnvironment, textOf, type TestEnvironment } from 'outlive/testing';
import config, { helper } from '../temporal.config.ts';

let environment: TestEnvironment;

// The first time the Temporal CLI is fetched.
beforeAll(async () => {
  environment = await startTestEnvironment();
}, 300_000);
afterAll(async () => environment.close());

test('the helper counts in the background and tells what came of it', async () => {
  const model = scriptedModel([
    { toolCalls: [{ toolName: 'start_run', input: { agent: 'count_words', input: { file: 'package.json' } } }] },
    'It is being counted.',
    'It has been counted.',
  ]);
  await environment.startWorker({ ...config, agents: [{ ...helper, model }] });
  const session = await environment.startSession();
  await session.submitTurn({ input: 'How many words has package.json?' });
  await atRest(session);

  const { runs } = await session.listRuns();
  expect(runs).toMatchObject([{ agent: 'count_words', status: 'completed' }]);
  expect(model.calls.at(-1)?.newest).toContain('"words":'); // what the model was told of it
  const { messages } = await session.getTranscript();
  expect(textOf(messages.at(-1))).toBe('It has been counted.');
}, 60_000);
