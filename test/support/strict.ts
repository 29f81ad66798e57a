/**
 * What providers refuse of a prompt: each rule with the provider that has it and the text of its refusal. A prompt that none of them refuses is
 * read by all. The first table is of what every protocol says, the others of what one says alone, in its own words.
 */
import type { ModelMessage } from 'ai';
import { blocksOf, signatureOf, type AnthropicBody, type Block } from './anthropic-wire.ts';
import type { Answer, ChatMessage, ModelCall, Reply } from './model-server.ts';
import { encryptedFor, type Item, type ResponsesBody } from './responses-wire.ts';

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

export interface Rule<Prompt = readonly Said[]> {
  provider: string;
  error: string;
  isBroken: (prompt: Prompt) => boolean;
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

/** The blocks of each message. */
function messagesOf({ messages }: AnthropicBody): { role: string; blocks: Block[] }[] {
  return messages.map(({ role, content }) => ({ role, blocks: blocksOf(content) }));
}

function ofType(blocks: readonly Block[] | undefined, type: string): Block[] {
  return (blocks ?? []).filter((block) => block.type === type);
}

/** Runs of the provider's own tools: what is called, and what answers it. */
const OWN_TOOLS = { mcp_tool_use: 'mcp_tool_result', server_tool_use: 'web_search_tool_result' };

/** Of Anthropic's messages alone. */
const ANTHROPIC_RULES: readonly Rule<AnthropicBody>[] = [
  {
    provider: 'anthropic',
    error: 'max_tokens: Field required',
    isBroken: ({ max_tokens }) => max_tokens === undefined,
  },
  {
    provider: 'anthropic',
    error: 'system: text content blocks must be non-empty',
    isBroken: ({ system }) => blocksOf(system).some(({ text = '' }) => text.trim() === ''),
  },
  {
    provider: 'anthropic',
    error: 'messages: text content blocks must be non-empty',
    isBroken: (body) =>
      messagesOf(body).some(({ blocks }) => ofType(blocks, 'text').some(({ text = '' }) => text.trim() === '')),
  },
  {
    provider: 'anthropic',
    error: 'messages.1: all messages must have non-empty content except for the optional final assistant message',
    isBroken: (body) => messagesOf(body).some(({ blocks }) => blocks.length === 0),
  },
  {
    provider: 'anthropic',
    error:
      'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1. Each `tool_use` block must have a corresponding `tool_result` block in the next message.',
    isBroken: (body) =>
      messagesOf(body).some(({ blocks }, i, all) => {
        const uses = ofType(blocks, 'tool_use');
        // They come before all else that the user says.
        const answers = (all[i + 1]?.blocks ?? []).slice(0, uses.length);
        return uses.some(({ id }) => !answers.some((one) => one.type === 'tool_result' && one.tool_use_id === id));
      }),
  },
  {
    provider: 'anthropic',
    error:
      'messages.1.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.',
    isBroken: (body) =>
      messagesOf(body).some(({ blocks }, i, all) => {
        const asked = ofType(all[i - 1]?.blocks, 'tool_use').map(({ id }) => id);
        return ofType(blocks, 'tool_result').some(({ tool_use_id }) => !asked.includes(tool_use_id));
      }),
  },
  {
    provider: 'anthropic',
    error: 'messages.1.content.0: Invalid `signature` in `thinking` block',
    isBroken: (body) =>
      messagesOf(body).some(({ blocks }) =>
        ofType(blocks, 'thinking').some(({ thinking = '', signature }) => signature !== signatureOf(thinking)),
      ),
  },
  {
    provider: 'anthropic',
    error:
      'messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks).',
    isBroken: (body) => {
      const all = messagesOf(body);
      const step = all.findLast(({ role }) => role === 'assistant');
      const isOpen = all.at(-1)?.blocks.some(({ type }) => type === 'tool_result') === true;
      const first = step?.blocks[0]?.type ?? 'thinking';
      return body.thinking?.type === 'enabled' && isOpen && !first.endsWith('thinking');
    },
  },
  {
    provider: 'anthropic',
    error:
      'messages.1.content.0: unexpected `tool_use_id` found in `mcp_tool_result` blocks: mcptoolu_1. Each `mcp_tool_result` block must have a corresponding `mcp_tool_use` block before it.',
    isBroken: (body) =>
      messagesOf(body).some(({ blocks }) =>
        Object.entries(OWN_TOOLS).some(([use, result]) => {
          const ids = (type: string, field: string): string =>
            ofType(blocks, type)
              .map((block) => String(block[field]))
              .toSorted()
              .join();
          return ids(use, 'id') !== ids(result, 'tool_use_id');
        }),
      ),
  },
  {
    provider: 'anthropic',
    error: "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    isBroken: ({ tools = [] }) => tools.some(({ name }) => !/^[a-zA-Z0-9_-]{1,128}$/u.test(name)),
  },
];

function itemsOf({ input }: ResponsesBody, type: string): Item[] {
  return input.filter((item) => item.type === type);
}

/** Of OpenAI's responses alone. It keeps nothing here, as it keeps nothing for good. */
const RESPONSES_RULES: readonly Rule<ResponsesBody>[] = [
  {
    provider: 'openai',
    error:
      "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input.",
    isBroken: (body) =>
      itemsOf(body, 'item_reference').length > 0 ||
      itemsOf(body, 'reasoning').some(({ encrypted_content: content }) => content === undefined || content === null),
  },
  {
    provider: 'openai',
    error:
      'The encrypted content for item rs_1 could not be verified. Reason: Encrypted content item_id did not match the target item id.',
    isBroken: (body) =>
      itemsOf(body, 'reasoning').some(({ id = '', encrypted_content: its }) => its !== encryptedFor(id)),
  },
  {
    provider: 'openai',
    error: "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
    isBroken: ({ input }) =>
      input.some(({ type }, i) => {
        const next = input[i + 1];
        return type === 'reasoning' && next?.role !== 'assistant' && next?.type !== 'function_call';
      }),
  },
  {
    provider: 'openai',
    error: 'No tool output found for function call call_1.',
    isBroken: (body) => {
      const answered = itemsOf(body, 'function_call_output').map((item) => item.call_id);
      return itemsOf(body, 'function_call').some((item) => !answered.includes(item.call_id));
    },
  },
  {
    provider: 'openai',
    error: 'No tool call found for function call output with call_id call_1.',
    isBroken: (body) => {
      const asked = itemsOf(body, 'function_call').map((item) => item.call_id);
      return itemsOf(body, 'function_call_output').some((item) => !asked.includes(item.call_id));
    },
  },
];

/** The first rule that a prompt breaks. */
export function brokenRule(prompt: readonly Said[]): Rule | undefined {
  return RULES.find((rule) => rule.isBroken(prompt));
}

/** The first rule that a request breaks, of those of its own protocol too. */
function brokenIn({ path, body, messages }: ModelCall): Pick<Rule, 'provider' | 'error'> | undefined {
  const own: Record<string, () => Pick<Rule, 'provider' | 'error'> | undefined> = {
    '/messages': () => ANTHROPIC_RULES.find((rule) => rule.isBroken(body as unknown as AnthropicBody)),
    '/responses': () => RESPONSES_RULES.find((rule) => rule.isBroken(body as unknown as ResponsesBody)),
  };
  return own[path]?.() ?? brokenRule(ofWire(messages));
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
    const rule = brokenIn(call);
    return rule === undefined ? answer(call) : refusal(400, `${rule.provider}: ${rule.error}`);
  };
}

/** As all of them say it. */
export function refusal(status: number, message: string, headers: Record<string, string> = {}): Reply {
  const error = { type: 'invalid_request_error', message };
  return { status, headers, body: JSON.stringify({ type: 'error', error }) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
