/**
 * Tools that a provider has run itself, as a search or an MCP server of its own. A call and what came of it are one part of the message, which goes
 * back to the provider as it is; nobody here runs anything.
 */
import type { MessagePart, UIMessage } from '../src/contract.ts';
import { isRunByProvider } from '../src/domain/delivery/transcript.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { MESSAGE_BYTES } from '../src/domain/state/sizes.ts';

/** A part of what `streamText` answers. */
export interface ContentPart {
  type: string;
  [field: string]: unknown;
}

const NO_RESULT = 'The provider has told no result of this call.';
const TOO_LARGE = 'The result of this call was too large to be kept.';

/** What the provider that is asked knows of the transcript: another one has no place for what it has not run. */
export function knownTo(provider: string, messages: readonly UIMessage[]): UIMessage[] {
  const isKnown = (part: MessagePart): boolean => !isRunByProvider(part) || part['provider'] === provider;
  return messages.map((message) => ({ ...message, parts: message.parts.filter(isKnown) }));
}

/** The parts for a part of an answer that is about such a tool: its call, with its result if it has one; nothing for others. */
export function ranByProvider(
  provider: string,
  part: ContentPart,
  content: readonly ContentPart[],
): MessagePart[] | undefined {
  if (!isRunByProvider(part)) return undefined;
  if (part.type !== 'tool-call') return [];
  const { toolCallId, toolName, input = {}, providerMetadata: asked } = part;
  const end = content.find((one) => one.type.startsWith('tool-') && one !== part && one['toolCallId'] === toolCallId);
  const told = end?.['providerMetadata'];
  return [
    {
      type: `tool-${String(toolName)}`,
      toolCallId,
      providerExecuted: true,
      provider,
      input,
      ...outcomeOf(end),
      ...(asked === undefined ? {} : { callProviderMetadata: asked }),
      ...(told === undefined ? {} : { resultProviderMetadata: told }),
    },
  ];
}

function outcomeOf(end: ContentPart | undefined): Pick<MessagePart, string> {
  if (end?.type === 'tool-result') return { state: 'output-available', output: end['output'] ?? null };
  const error: unknown = end?.['error'];
  if (error === undefined) return { state: 'output-error', errorText: NO_RESULT };
  const text = error instanceof Error ? error.message : typeof error === 'string' ? error : JSON.stringify(error);
  return { state: 'output-error', errorText: text };
}

/** The parts, in which the results of such calls together are no larger than can be carried: those beyond are errors, as a part of one is none. */
export function withinRoom(parts: readonly MessagePart[]): MessagePart[] {
  let room = MESSAGE_BYTES;
  return parts.map((part) => {
    if (!isRunByProvider(part)) return part;
    room -= jsonBytes(part);
    if (room >= 0) return part;
    const { output: _output, ...call } = part;
    return { ...call, input: {}, state: 'output-error', errorText: TOO_LARGE };
  });
}
