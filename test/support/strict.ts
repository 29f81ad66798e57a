/**
 * What providers refuse of a prompt, in one table: each rule with the provider that has it and the text of its refusal. A prompt that none of
 * them refuses is read by all.
 */
import type { ModelMessage } from 'ai';
import type { Answer, ChatMessage } from './model-server.ts';

/** One message of a prompt, whatever wire it came by. */
export interface Said {
  role: string;
  /** Its texts, and the results of calls as text. */
  texts: string[];
  /** Whether it has something that is no text, as a file. */
  more: boolean;
  calls: { id: string; input: unknown }[];
  /** Ids of the calls that it answers. */
  answers: string[];
}

export interface Rule {
  provider: string;
  error: string;
  isBroken: (prompt: readonly Said[]) => boolean;
}

function neighbours(prompt: readonly Said[], role: string): boolean {
  return prompt.some((one, i) => one.role === role && prompt[i + 1]?.role === role);
}

/** A step's calls, and what the messages directly behind it answer. */
function unanswered(prompt: readonly Said[]): boolean {
  return prompt.some((one, i) => {
    const behind = prompt.slice(i + 1);
    const end = behind.findIndex(({ role }) => role !== 'tool');
    const answers = (end < 0 ? behind : behind.slice(0, end)).flatMap((each) => each.answers);
    return one.role === 'assistant' && one.calls.map(({ id }) => id).join() !== answers.join();
  });
}

function calls(prompt: readonly Said[]): Said['calls'] {
  return prompt.flatMap((one) => one.calls);
}

export const RULES: readonly Rule[] = [
  {
    provider: 'anthropic',
    error: 'messages: at least one message is required',
    isBroken: (prompt) => prompt.length === 0,
  },
  {
    provider: 'anthropic',
    error: 'messages: first message must use the "user" role',
    isBroken: ([first]) => first !== undefined && first.role !== 'user',
  },
  {
    provider: 'mistral',
    error:
      'Expected last role User or Tool (or Assistant with prefix or continue_final_message) for serving but got assistant',
    isBroken: (prompt) => prompt.at(-1)?.role === 'assistant',
  },
  {
    provider: 'anthropic',
    error: 'messages: roles must alternate between "user" and "assistant", but found multiple "user" roles in a row',
    isBroken: (prompt) => neighbours(prompt, 'user'),
  },
  {
    provider: 'vllm',
    error: 'Conversation roles must alternate user/assistant/user/assistant/...',
    isBroken: (prompt) => neighbours(prompt, 'assistant'),
  },
  {
    provider: 'anthropic',
    error: 'messages: text content blocks must contain non-whitespace text',
    isBroken: (prompt) => prompt.some(({ texts }) => texts.some((one) => one.trim() === '')),
  },
  {
    provider: 'anthropic',
    error: 'messages: all messages must have non-empty content',
    isBroken: (prompt) =>
      prompt.some((one) => one.texts.length + one.calls.length + one.answers.length === 0 && !one.more),
  },
  {
    provider: 'openai',
    error:
      "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
    isBroken: unanswered,
  },
  {
    provider: 'openai',
    error: "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    isBroken: (prompt) =>
      prompt.some(({ role }, i) => role === 'tool' && !['assistant', 'tool'].includes(prompt[i - 1]?.role ?? '')),
  },
  {
    provider: 'anthropic',
    error: 'messages: `tool_use` ids must be unique',
    isBroken: (prompt) => new Set(calls(prompt).map(({ id }) => id)).size < calls(prompt).length,
  },
  {
    provider: 'anthropic, openai',
    error:
      "messages: tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'; string too long. Expected a string with maximum length 40",
    isBroken: (prompt) => calls(prompt).some(({ id }) => !/^[a-zA-Z0-9_-]{1,40}$/u.test(id)),
  },
  {
    provider: 'anthropic',
    error: 'messages: tool_use.input: Input should be a valid dictionary',
    isBroken: (prompt) =>
      calls(prompt).some(({ input }) => typeof input !== 'object' || input === null || Array.isArray(input)),
  },
];

/** The first rule that a prompt breaks. */
export function brokenRule(prompt: readonly Said[]): Rule | undefined {
  return RULES.find((rule) => rule.isBroken(prompt));
}

/** A prompt as the chat completions protocol has it, its instructions left out. */
export function ofWire(messages: readonly ChatMessage[]): Said[] {
  return messages
    .filter(({ role }) => role !== 'system')
    .map(({ role, content, tool_calls = [], tool_call_id }) => {
      const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);
      const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text ?? ''] : []));
      return {
        role,
        // Beside calls the protocol has an empty text where there is none.
        texts: tool_calls.length > 0 ? texts.filter((text) => text !== '') : texts,
        more: parts.some((part) => part.type !== 'text'),
        calls: tool_calls.map((call) => ({ id: call.id, input: parsed(call.function.arguments) })),
        answers: tool_call_id === undefined ? [] : [tool_call_id],
      };
    });
}

/** A prompt as the AI SDK hands it to a provider. */
export function ofModel(messages: readonly ModelMessage[]): Said[] {
  return messages.map(({ role, content }) => {
    const said: Said = { role, texts: [], more: false, calls: [], answers: [] };
    for (const part of typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content) {
      if (part.type === 'text') said.texts.push(part.text);
      else if (part.type === 'tool-call') said.calls.push({ id: part.toolCallId, input: part.input });
      else if (part.type === 'tool-result') {
        said.answers.push(part.toolCallId);
        if ('value' in part.output && typeof part.output.value === 'string') said.texts.push(part.output.value);
      } else if (part.type !== 'reasoning') said.more = true;
    }
    return said;
  });
}

/** A model that refuses what any provider refuses. */
export function strictly(answer: Answer): Answer {
  return (call) => {
    const rule = brokenRule(ofWire(call.messages));
    return rule === undefined
      ? answer(call)
      : { status: 400, body: JSON.stringify({ error: { message: `${rule.provider}: ${rule.error}` } }) };
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
