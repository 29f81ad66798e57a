/**
 * Keeps a step's message within bounds: it is one event, one entry of the transcript and a part of what is carried. Outputs
 * are cut to previews first, the largest first, then texts, then what else there is; calls without an answer keep their input.
 */
import { jsonBytes, previewOf } from '../state/json.ts';
import { PREVIEW_BYTES } from '../state/sizes.ts';
import type { MessagePart } from '../state/types.ts';
import { isRunByProvider } from '../delivery/transcript.ts';

const NOTE = 'The rest was left out to save room.';
const NOTE_BYTES = 96;
const LEAST_BYTES = 64;

/** The parts, cut so that they take at most so many bytes of JSON; where nothing else helps, the first texts are left out. */
export function fitParts(parts: readonly MessagePart[], bytes: number): MessagePart[] {
  let fitted = parts.slice();
  let total = jsonBytes(fitted);
  const passes: ((part: MessagePart) => MessagePart)[] = [
    cutOutput,
    (part) => cutField(part, 'text', PREVIEW_BYTES),
    (part) => (isOpen(part) ? part : cutField(part, 'input', PREVIEW_BYTES)),
    least,
  ];
  for (const pass of passes) {
    const largestFirst = fitted.map((part, i) => ({ i, size: jsonBytes(part) })).sort((a, b) => b.size - a.size);
    for (const { i, size } of largestFirst) {
      const part = fitted[i];
      if (total <= bytes || part === undefined) break;
      const short = pass(part);
      fitted[i] = short;
      total -= size - jsonBytes(short);
    }
  }
  if (total > bytes) {
    fitted = fitted.filter((part) => {
      if (total <= bytes || part['toolCallId'] !== undefined) return true;
      total -= jsonBytes(part) + 1;
      return false;
    });
  }
  return fitted;
}

/** A part whose output is cut to a preview. A provider takes its own results back as they were or not at all. */
export function cutOutput(part: MessagePart): MessagePart {
  if (!isRunByProvider(part)) return cutField(part, 'output', PREVIEW_BYTES);
  if (part['output'] === undefined || jsonBytes(part['output']) <= PREVIEW_BYTES) return part;
  const { output: _output, resultProviderMetadata: _metadata, ...call } = part;
  return { ...call, state: 'output-error', errorText: NOTE };
}

/** A tool call that has no answer yet. */
export function isOpen(part: MessagePart): boolean {
  return (
    typeof part['toolCallId'] === 'string' && part['state'] !== 'output-available' && part['state'] !== 'output-error'
  );
}

function cutField(part: MessagePart, field: 'output' | 'text' | 'input', bytes: number): MessagePart {
  const value = part[field];
  // What was cut before, note and all, is not cut again to the same size.
  if (value === undefined || jsonBytes(value) <= bytes + NOTE_BYTES) return part;
  if (typeof value === 'string' && field === 'text')
    return { ...unsigned(part), text: `${cutText(value, bytes)}… (${NOTE})` };
  return { ...part, [field]: { preview: cutText(previewOf(value, bytes), bytes), note: NOTE } };
}

/** A signature is of the whole: with it, a provider would refuse the half. */
export function unsigned(part: MessagePart): MessagePart {
  const { providerMetadata: _metadata, ...rest } = part;
  return part.type === 'reasoning' ? rest : part;
}

/** What is left of a part when nothing else helps: what it is, and beginnings. */
function least(part: MessagePart): MessagePart {
  if (isRunByProvider(part)) return { ...cutOutput(part), input: {} };
  const kept: MessagePart = { type: part.type };
  for (const field of ['toolCallId', 'state', 'approval'] as const)
    if (part[field] !== undefined) kept[field] = part[field];
  for (const field of ['output', 'text', 'input'] as const)
    if (part[field] !== undefined) kept[field] = isOpen(part) ? part[field] : cutField(part, field, LEAST_BYTES)[field];
  if (typeof part['errorText'] === 'string') kept['errorText'] = cutText(part['errorText'], LEAST_BYTES);
  return kept;
}

/** The beginning of a text that takes at most so many bytes inside JSON. */
export function cutText(text: string, bytes: number): string {
  let short = previewOf(text, bytes);
  while (jsonBytes(short) - 2 > bytes)
    short = short.slice(0, Math.floor(short.length * Math.min(0.9, bytes / jsonBytes(short)))).toWellFormed();
  return short;
}
