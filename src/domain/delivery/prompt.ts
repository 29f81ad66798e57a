/**
 * What a model reads: the transcript in a form that fits the strictest provider, however it came about.
 *
 * The first message is a user's, no two of a user's or of the assistant's follow each other, no text is blank, every call has an object as
 * its input and has its result, and the last message is one to be answered. Nothing of it is written back, so that a transcript that no
 * provider would take heals by itself.
 */
import type { MessagePart, UIMessage } from '../state/types.ts';
import { isOwnCall, isRunByProvider, text } from './transcript.ts';

/** Stands where a conversation would begin with the assistant's words, or end with them. */
const BEGINS = '(The conversation begins here, as far as it is kept.)';
const NOTHING_MORE = '(There is nothing new to answer.)';

export function promptOf(messages: readonly UIMessage[]): UIMessage[] {
  const said = linesFirst(messages).flatMap(withoutBlanks);
  const prompt = alternating(said);
  if (prompt[0]?.role !== 'user') prompt.unshift(placeholder('begins', BEGINS));
  const last = prompt.at(-1);
  if (last?.role === 'assistant' && !endsWithResults(last)) prompt.push(placeholder('nothing-more', NOTHING_MORE));
  return prompt;
}

/** The prompt for a provider that does not take the reasoning in it. */
export function withoutReasoning(prompt: readonly UIMessage[]): UIMessage[] {
  return prompt.map((message) => ({ ...message, parts: message.parts.filter(({ type }) => type !== 'reasoning') }));
}

function placeholder(id: string, words: string): UIMessage {
  return { id, role: 'user', parts: [text(words)] };
}

/**
 * Lines that the runtime has added at the end come before the message that is to be answered, as providers take a prompt that ends with
 * the assistant's own words for the beginning of its answer.
 */
function linesFirst(messages: readonly UIMessage[]): UIMessage[] {
  const last = messages.findLastIndex((message) => !isLine(message));
  const asked = messages[last];
  return asked === undefined ? messages.slice() : [...messages.toSpliced(last, 1), asked];
}

function isLine({ role, metadata }: UIMessage): boolean {
  return role === 'assistant' && metadata?.['source'] === 'background-run';
}

/** A message without what says nothing; nothing when there is nothing else. Reasoning is kept only beside what it has led to. */
function withoutBlanks(message: UIMessage): UIMessage[] {
  const parts = message.parts.filter(saysSomething).map(answered);
  return parts.some((part) => part.type !== 'reasoning') ? [{ ...message, parts }] : [];
}

function saysSomething(part: MessagePart): boolean {
  if (part.type === 'text') return !isBlank(part['text']);
  if (part.type === 'file') return !isBlank(part['url']);
  // A provider may want its own back although it has no words.
  return part.type !== 'reasoning' || part['providerMetadata'] !== undefined || !isBlank(part['text']);
}

function isBlank(value: unknown): boolean {
  return typeof value !== 'string' || value.trim() === '';
}

/** A call with an object as its input, and with a result that says something. */
function answered(part: MessagePart): MessagePart {
  if (!isCall(part)) return part;
  const { approval, ...rest } = part;
  const input: unknown = rest['input'];
  const call = { ...rest, input: isObject(input) ? input : {} };
  if (isRunByProvider(part) && part['state'] === 'output-available') return call;
  switch (part['state']) {
    case 'output-error':
      return isBlank(part['errorText']) ? { ...call, errorText: 'It failed and did not say why.' } : call;
    case 'output-available': {
      const output: unknown = part['output'];
      if (isObject(approval)) return { ...call, output: { approval: consentOf(approval), output } };
      return typeof output === 'string' && isBlank(output) ? { ...call, output: JSON.stringify(output) } : call;
    }
    default:
      return { ...call, state: 'output-error', errorText: 'This call has no answer.' };
  }
}

/** That a person has approved the call, with what he has said to it. */
function consentOf({ reason }: { reason?: unknown }): string {
  return typeof reason === 'string' ? `This call was approved ${reason}` : 'This call was approved.';
}

function isCall(part: MessagePart): boolean {
  return typeof part['toolCallId'] === 'string';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Neighbours of one role become one message; a step with calls ends with their results, which are no words of the assistant. */
function alternating(messages: readonly UIMessage[]): UIMessage[] {
  const merged: UIMessage[] = [];
  for (const message of messages) {
    const before = merged.at(-1);
    if (before?.role === message.role && !endsWithResults(before))
      merged[merged.length - 1] = { ...before, parts: [...before.parts, ...message.parts] };
    else merged.push(message);
  }
  return merged;
}

function endsWithResults({ parts }: UIMessage): boolean {
  return parts.some(isOwnCall);
}
