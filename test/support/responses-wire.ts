/** OpenAI's responses, streamed. Reasoning is encrypted, as theirs is, and bound to the id of its item (see strict.ts). */
import { createHash } from 'node:crypto';
import {
  argumentsOf,
  idOf,
  USAGE,
  words,
  type ChatMessage,
  type ModelCall,
  type Said,
  type Wire,
} from './model-words.ts';

export interface Item {
  type?: string;
  role?: string;
  id?: string;
  content?: string | { type: string; text?: string }[];
  call_id?: string;
  name?: string;
  arguments?: string;
  output?: string;
  summary?: { type: string; text: string }[];
  encrypted_content?: string | null;
}
export interface ResponsesBody {
  model: string;
  input: Item[];
  tools?: { name: string; description?: string }[];
  store?: boolean;
  include?: string[];
}

export function encryptedFor(id: string): string {
  return createHash('sha256').update(`a secret of theirs ${id}`).digest('base64');
}

/** Neighbouring items of the assistant's are one message in chat completions. */
function chatOf(items: readonly Item[]): ChatMessage[] {
  const messages: ChatMessage[] = [];
  for (const item of items) {
    const content = typeof item.content === 'string' ? [{ type: 'text', text: item.content }] : (item.content ?? []);
    const texts = content.map(({ type, text }) => ({
      type: type.endsWith('text') ? 'text' : type,
      ...(text === undefined ? {} : { text }),
    }));
    const before = messages.at(-1);
    switch (item.type ?? 'message') {
      case 'message':
        messages.push({ role: item.role === 'developer' ? 'system' : (item.role ?? ''), content: texts });
        break;
      case 'function_call': {
        const call = { id: item.call_id ?? '', function: { name: item.name ?? '', arguments: item.arguments ?? '' } };
        if (before?.role === 'assistant') before.tool_calls = [...(before.tool_calls ?? []), call];
        else messages.push({ role: 'assistant', content: [], tool_calls: [call] });
        break;
      }
      case 'function_call_output':
        messages.push({ role: 'tool', tool_call_id: item.call_id ?? '', content: item.output ?? '' });
        break;
      default:
        break;
    }
  }
  return messages;
}

export const responses: Wire = {
  path: '/responses',

  read(body) {
    const { input, tools = [] } = body as unknown as ResponsesBody;
    return {
      messages: chatOf(input),
      described: Object.fromEntries(tools.map(({ name, description = '' }) => [name, description])),
    };
  },

  write(reply, call) {
    const response = { id: `resp_${call.n}`, created_at: 1, model: call.model };
    const said: object[] = [{ type: 'response.created', response }];
    let output_index = 0;
    const item = (added: object, done: object, ...between: object[]): void => {
      said.push({ type: 'response.output_item.added', output_index, item: added });
      for (const frame of between) said.push({ output_index, ...frame });
      said.push({ type: 'response.output_item.done', output_index, item: { ...added, ...done } });
      output_index += 1;
    };
    writeItems(reply, call, item);
    const { finish, usage = USAGE } = reply;
    const reason = { length: 'max_output_tokens', content_filter: 'content_filter' }[finish ?? ''] ?? undefined;
    const end = [
      {
        type: reason === undefined ? 'response.completed' : 'response.incomplete',
        response: {
          ...response,
          incomplete_details: reason === undefined ? null : { reason },
          usage: {
            input_tokens: usage.prompt_tokens,
            output_tokens: usage.completion_tokens,
            total_tokens: usage.total_tokens,
          },
        },
      },
    ];
    return { said, end };
  },
};

function writeItems(
  { text, reasoning, tools = [] }: Said,
  call: ModelCall,
  item: (added: object, done: object, ...between: object[]) => void,
): void {
  if (reasoning !== undefined) {
    const id = `rs_${call.n}`;
    const at = { item_id: id, summary_index: 0 };
    item(
      { type: 'reasoning', id, summary: [] },
      { encrypted_content: encryptedFor(id) },
      { type: 'response.reasoning_summary_part.added', ...at },
      { type: 'response.reasoning_summary_text.delta', ...at, delta: reasoning },
      { type: 'response.reasoning_summary_part.done', ...at },
    );
  }
  if (text !== undefined) {
    const id = `msg_${call.n}`;
    const deltas = words(text).map((delta) => ({
      type: 'response.output_text.delta',
      item_id: id,
      content_index: 0,
      delta,
    }));
    item({ type: 'message', id, role: 'assistant', content: [] }, {}, ...deltas);
  }
  tools.forEach((use, i) => {
    const id = `fc_${call.n}_${i}`;
    const made = { type: 'function_call', id, call_id: idOf(use, call, i), name: use.name };
    const all = argumentsOf(use);
    item(
      { ...made, arguments: '' },
      { arguments: all, status: 'completed' },
      { type: 'response.function_call_arguments.delta', item_id: id, delta: all },
    );
  });
}
