/** Reads a prompt as a model would: what the user asked, which tools were called with what result, what background runs reported. */
import type { LanguageModelV4Prompt, LanguageModelV4ToolResultOutput } from '@ai-sdk/provider';

export type Fields = Record<string, unknown>;

/** A tool call and what came of it; `at` is the place of its message in the prompt. */
export interface Call {
  at: number;
  name: string;
  input: Fields;
  result?: Fields;
  error?: string;
}

/** What a background run reported; the frame is the runtime's. */
export interface Frame {
  at: number;
  id: string;
  agent: string;
  status: string;
  body: Fields;
}

export interface Conversation {
  /** Everything that was said by users, frames left out. */
  asked: { at: number; text: string }[];
  frames: Frame[];
  calls: Call[];
  /** The place of the last message that is not the model's own or a tool's: what it has to answer starts there. */
  turn: number;
}

const FRAME =
  /<background-run id="([^"]*)" agent="([^"]*)" status="([^"]*)" key="[^"]*">\n[^\n]*\n([^\n]*)\n<\/background-run>/g;

export function readPrompt(prompt: LanguageModelV4Prompt): Conversation {
  const conversation: Conversation = { asked: [], frames: [], calls: [], turn: 0 };
  const byId = new Map<string, Call>();
  let answered = true;
  for (const [at, message] of prompt.entries()) {
    if (message.role === 'system') continue;
    if (message.role === 'user') {
      // Inputs that arrived together are one turn: it starts at the first of them.
      if (answered) conversation.turn = at;
      answered = false;
      for (const part of message.content) if (part.type === 'text') readText(conversation, at, part.text);
      continue;
    }
    answered = true;
    for (const part of message.content) {
      if (part.type === 'tool-call') {
        const call: Call = { at, name: part.toolName, input: fields(part.input) };
        byId.set(part.toolCallId, call);
        conversation.calls.push(call);
      } else if (part.type === 'tool-result') {
        Object.assign(byId.get(part.toolCallId) ?? {}, outcome(part.output));
      }
    }
  }
  return conversation;
}

function readText(conversation: Conversation, at: number, text: string): void {
  for (const [, id = '', agent = '', status = '', body = ''] of text.matchAll(FRAME)) {
    conversation.frames.push({ at, id: plain(id), agent: plain(agent), status: plain(status), body: parsed(body) });
  }
  const rest = text.replace(FRAME, '').trim();
  if (rest !== '') conversation.asked.push({ at, text: rest });
}

function outcome(output: LanguageModelV4ToolResultOutput): Pick<Call, 'result' | 'error'> {
  switch (output.type) {
    case 'json':
      return { result: fields(output.value) };
    case 'text':
      return { result: parsed(output.value) };
    case 'error-text':
      return { error: output.value };
    case 'error-json':
      return { error: JSON.stringify(output.value) };
    case 'execution-denied':
      return { error: output.reason ?? 'It was not allowed.' };
    case 'content':
      return { result: {} };
    default:
      return output satisfies never;
  }
}

export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function parsed(text: string): Fields {
  try {
    return fields(JSON.parse(text));
  } catch {
    return {};
  }
}

function plain(attribute: string): string {
  return attribute.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

/** The texts of a message in their order; what tools answered is JSON where it is no text. */
export function textsOf({ role, content }: LanguageModelV4Prompt[number]): string[] {
  if (role === 'system') return [content];
  return content.flatMap((part) => {
    if (part.type === 'text') return [part.text];
    if (part.type !== 'tool-result') return [];
    const { output } = part;
    if (output.type === 'execution-denied') return [output.reason ?? ''];
    return [typeof output.value === 'string' ? output.value : JSON.stringify(output.value)];
  });
}
