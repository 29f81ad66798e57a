/** Anthropic's messages, streamed. Thinking is signed, as theirs is: a signature that is not that of its text is refused (see strict.ts). */
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

export interface Block {
  type: string;
  text?: string;
  thinking?: string;
  signature?: string;
  id?: string;
  name?: string;
  input?: unknown;
  tool_use_id?: string;
  content?: string | Block[];
  [field: string]: unknown;
}
export interface AnthropicMessage {
  role: 'user' | 'assistant';
  content: string | Block[];
}
export interface AnthropicBody {
  model: string;
  max_tokens?: number;
  system?: string | Block[];
  messages: AnthropicMessage[];
  tools?: { name: string; description?: string }[];
  thinking?: { type: string };
}

export function signatureOf(thinking: string): string {
  return createHash('sha256').update(`a secret of theirs ${thinking}`).digest('base64');
}

export function blocksOf(content: string | Block[] | undefined): Block[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);
}

/** Results of calls are messages of their own in chat completions. */
function chatOf({ role, content }: AnthropicMessage): ChatMessage[] {
  const blocks = blocksOf(content);
  const results = blocks.filter(({ type }) => type === 'tool_result');
  const others = blocks.filter(
    ({ type }) => type !== 'tool_result' && type !== 'tool_use' && !type.includes('thinking'),
  );
  const uses = blocks.filter(({ type }) => type === 'tool_use');
  const said = results.map((block) => ({
    role: 'tool',
    tool_call_id: block.tool_use_id ?? '',
    content: blocksOf(block.content).map(({ type, text = '' }) => ({ type, text })),
  }));
  if (others.length + uses.length === 0) return said;
  const calls = uses.map(({ id = '', name = '', input }) => ({
    id,
    function: { name, arguments: JSON.stringify(input) },
  }));
  const parts = others.map(({ type, text }) => ({ type, ...(text === undefined ? {} : { text }) }));
  return [...said, { role, content: parts, ...(calls.length === 0 ? {} : { tool_calls: calls }) }];
}

const STOP: Record<string, string> = { length: 'max_tokens', content_filter: 'refusal' };

export const anthropic: Wire = {
  path: '/messages',

  read(body) {
    const { system, messages, tools = [] } = body as unknown as AnthropicBody;
    const instructions = blocksOf(system).map(({ text = '' }) => text);
    return {
      messages: [
        ...(instructions.length === 0 ? [] : [{ role: 'system', content: instructions.join('\n') }]),
        ...messages.flatMap(chatOf),
      ],
      described: Object.fromEntries(tools.map(({ name, description = '' }) => [name, description])),
    };
  },

  write(reply, call) {
    const said: object[] = [
      {
        type: 'message_start',
        message: {
          id: `msg_${call.n}`,
          type: 'message',
          role: 'assistant',
          model: call.model,
          content: [],
          stop_reason: null,
          usage: { input_tokens: (reply.usage ?? USAGE).prompt_tokens, output_tokens: 0 },
        },
      },
      { type: 'ping' },
    ];
    let index = 0;
    const block = (content_block: object, ...deltas: object[]): void => {
      said.push({ type: 'content_block_start', index, content_block });
      for (const delta of deltas) said.push({ type: 'content_block_delta', index, delta });
      said.push({ type: 'content_block_stop', index });
      index += 1;
    };
    writeBlocks(reply, call, block);
    const { finish, tools, usage = USAGE } = reply;
    const stop_reason = finish === undefined || finish === null ? undefined : (STOP[finish] ?? finish);
    const end = [
      {
        type: 'message_delta',
        delta: { stop_reason: stop_reason ?? (tools === undefined ? 'end_turn' : 'tool_use'), stop_sequence: null },
        usage: { output_tokens: usage.completion_tokens },
      },
      { type: 'message_stop' },
    ];
    return { said, end };
  },
};

function writeBlocks(reply: Said, call: ModelCall, block: (start: object, ...deltas: object[]) => void): void {
  const { text, reasoning, tools = [], ran = [] } = reply;
  if (reasoning !== undefined)
    block(
      { type: 'thinking', thinking: '', signature: '' },
      { type: 'thinking_delta', thinking: reasoning },
      { type: 'signature_delta', signature: signatureOf(reasoning) },
    );
  ran.forEach(({ name, input, output, failed = false }, i) => {
    const id = `mcptoolu_${call.n}_${i}`;
    block({ type: 'mcp_tool_use', id, name, input, server_name: 'docs' });
    const content = [{ type: 'text', text: output ?? '' }];
    if (output !== undefined) block({ type: 'mcp_tool_result', tool_use_id: id, is_error: failed, content });
  });
  if (text !== undefined)
    block({ type: 'text', text: '' }, ...words(text).map((word) => ({ type: 'text_delta', text: word })));
  tools.forEach((use, i) =>
    block(
      { type: 'tool_use', id: idOf(use, call, i), name: use.name, input: {} },
      { type: 'input_json_delta', partial_json: argumentsOf(use) },
    ),
  );
}
