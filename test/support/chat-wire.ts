/** Chat completions, streamed: the words in which requests of the other protocols are told too. */
import { argumentsOf, idOf, USAGE, words, type ChatMessage, type Wire } from './model-words.ts';

export const chat: Wire = {
  path: '/chat/completions',
  read(body) {
    const { messages, tools = [] } = body as {
      messages: ChatMessage[];
      tools?: { function: { name: string; description?: string } }[];
    };
    return { messages, described: Object.fromEntries(tools.map(({ function: f }) => [f.name, f.description ?? ''])) };
  },
  write(reply, call) {
    const { text, reasoning, tools, finish, usage = USAGE } = reply;
    const chunk = { id: `c${call.n}`, object: 'chat.completion.chunk', created: 1, model: call.model };
    const frame = (delta: unknown, finish: string | null = null): object => ({
      ...chunk,
      choices: [{ index: 0, delta, finish_reason: finish }],
    });
    const said: object[] = [];
    if (reasoning !== undefined) said.push(frame({ role: 'assistant', reasoning_content: reasoning }));
    if (text !== undefined) for (const word of words(text)) said.push(frame({ role: 'assistant', content: word }));
    tools?.forEach((use, index) => {
      const made = { name: use.name, arguments: argumentsOf(use) };
      said.push(frame({ tool_calls: [{ index, id: idOf(use, call, index), type: 'function', function: made }] }));
    });
    const end = [frame({}, finish ?? (tools === undefined ? 'stop' : 'tool_calls')), { ...chunk, choices: [], usage }];
    return { said, end };
  },
};
