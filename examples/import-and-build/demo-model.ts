/**
 * A language model that is a script and says so: it makes the example run without a key, the same way each time. It reads what
 * it needs from the prompt as a model would, and answers nothing else. The pause between words stands in for the time that a
 * real model takes; it is no measurement of one.
 */
import { createHash } from 'node:crypto';
import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { languageModel, type ModelAnswer } from '../../src/testing/model/language-model.ts';
import { reply } from './demo/script.ts';

export { DEMO_SENTENCE } from './demo/lines.ts';

export interface DemoModelOptions {
  /** Pause before each word, milliseconds. Default 0. */
  wordMs?: number;
}

export function createDemoModel({ wordMs = 0 }: DemoModelOptions = {}): LanguageModelV4 {
  return languageModel({ provider: 'demo', modelId: 'scripted', wordMs, answer: answerTo });
}

/** The script's reply; a call of a tool that the agent does not have is said instead of made. */
function answerTo({ prompt, tools }: LanguageModelV4CallOptions): ModelAnswer {
  const { call, text, reasoning } = reply(prompt);
  const id = createHash('sha256').update(JSON.stringify(prompt)).digest('hex').slice(0, 16);
  const said = { id: `demo-${id}`, reasoning, text, toolCalls: [] };
  if (call === undefined) return said;
  if (tools?.some(({ name }) => name === call.name))
    return { ...said, toolCalls: [{ toolCallId: `demo-call-${id}`, toolName: call.name, input: call.input }] };
  return {
    ...said,
    reasoning: undefined,
    text: `${text} I would call ${call.name} now, but this agent does not have it.`,
  };
}
