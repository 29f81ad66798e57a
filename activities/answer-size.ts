/**
 * What a model answers, cut to what can be carried: Temporal takes 2 MiB in one payload, and an answer that does not arrive would be asked for,
 * and paid, again. What is cut says so at its end.
 */
import type { MessagePart } from '../src/contract.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { KIB, MESSAGE_BYTES, PREVIEW_BYTES } from '../src/domain/state/sizes.ts';
import { cutText, unsigned } from '../src/domain/turn/step-size.ts';

/** All texts together, and all reasoning. */
const MOST: Readonly<Record<string, number>> = { text: MESSAGE_BYTES, reasoning: 64 * KIB };
const NOTE_BYTES = 64;

/** What providers want to read again of their own, as signatures, in all parts together. */
const METADATA_BYTES = MESSAGE_BYTES;
const METADATA = ['providerMetadata', 'callProviderMetadata', 'resultProviderMetadata'] as const;

/** The parts, with texts cut; `cut`: how many characters the texts had, if they were. */
export function cutParts(parts: readonly MessagePart[]): { parts: MessagePart[]; cut?: number } {
  const reasoning = cutKind(withinMetadata(parts), 'reasoning');
  const texts = cutKind(reasoning.parts, 'text');
  return { parts: texts.parts, ...(texts.cut === undefined ? {} : { cut: texts.cut }) };
}

/** The parts, in which what is too large of the providers' own is left out. */
function withinMetadata(parts: readonly MessagePart[]): MessagePart[] {
  let room = METADATA_BYTES;
  return parts.map((part) => {
    const kept = { ...part };
    for (const field of METADATA) {
      const bytes = kept[field] === undefined ? 0 : jsonBytes(kept[field]);
      if (bytes > room) delete kept[field];
      else room -= bytes;
    }
    return kept;
  });
}

function cutKind(parts: readonly MessagePart[], kind: 'text' | 'reasoning'): { parts: MessagePart[]; cut?: number } {
  const most = MOST[kind] ?? 0;
  const texts = parts.flatMap((part) => (part.type === kind ? [String(part['text'])] : []));
  if (jsonBytes(texts.join('')) <= most) return { parts: parts.slice() };
  const all = characters(texts.join(''));
  let room = most - NOTE_BYTES;
  let kept = 0;
  const short: MessagePart[] = [];
  let last: MessagePart | undefined;
  for (const part of parts) {
    if (part.type !== kind) {
      short.push(part);
      continue;
    }
    if (room <= 0) continue;
    const text = cutText(String(part['text']), room);
    room -= text === part['text'] ? jsonBytes(text) : Infinity;
    kept += characters(text);
    last = { ...part, text };
    short.push(last);
  }
  if (last === undefined) return { parts: short, cut: all };
  const told = { ...unsigned(last), text: `${String(last['text'])}[cut: ${all - kept} of ${all} characters]` };
  return { parts: short.map((part) => (part === last ? told : part)), cut: all };
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The beginning of an input that is no good: of what it was, enough to see. */
export function inputPreview(input: unknown): unknown {
  return jsonBytes(input) <= PREVIEW_BYTES ? input : cutText(JSON.stringify(input) ?? '', PREVIEW_BYTES);
}
