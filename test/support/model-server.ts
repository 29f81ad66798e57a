/**
 * A model behind a real HTTP server that speaks the chat completions protocol, so that tests drive the real provider package.
 * It counts its calls outside of any worker: a step that is taken twice shows.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ChatMessage {
  role: string;
  content?: string | { type: string; text?: string }[] | null;
  tool_calls?: { id: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}
export interface ModelCall {
  messages: ChatMessage[];
  n: number;
  model: string;
  tools: string[];
  /** What the model is told of each tool. */
  described: Record<string, string>;
}
export interface ToolUse {
  id?: string;
  name: string;
  input: unknown;
  /** Instead of the input as JSON. */
  arguments?: string;
}
/**
 * What the model says: text (piece by piece as it comes, where it is iterable), reasoning, tool calls, an HTTP status, or nothing at all (`hang`, until the caller goes away). `finish`: why it
 * ended; null when the stream breaks off.
 */
export type Reply =
  | {
      text?: string | AsyncIterable<string>;
      reasoning?: string;
      tools?: ToolUse[];
      finish?: string | null;
      usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
    }
  | { status: number; headers?: Record<string, string>; body?: string }
  /** What comes on the stream instead of a chunk. */
  | { garbled: string }
  | { hang: true };

/** A plain string is text. */
export type Answer = (call: ModelCall) => string | Reply | Promise<string | Reply>;

export class ModelServer {
  readonly calls: ModelCall[] = [];
  url = '';
  private server: Server | undefined;
  private reply: Answer = () => 'ok';

  static async start(reply: Answer): Promise<ModelServer> {
    const model = new ModelServer();
    model.reply = reply;
    const server = createServer((request, response) => void model.answer(request, response));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    model.server = server;
    model.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    return model;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => {
      this.server?.close(resolve);
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
      messages: ChatMessage[];
      model: string;
      tools?: { function: { name: string; description?: string } }[];
    };
    const call: ModelCall = {
      messages: body.messages,
      model: body.model,
      n: this.calls.length + 1,
      tools: (body.tools ?? []).map((tool) => tool.function.name),
      described: Object.fromEntries((body.tools ?? []).map(({ function: f }) => [f.name, f.description ?? ''])),
    };
    this.calls.push(call);
    // A script that throws is told at once, and not by silence.
    const answer = await Promise.resolve(call)
      .then(this.reply)
      .catch((error: unknown) => ({ status: 400, body: JSON.stringify({ error: { message: String(error) } }) }));
    const reply: Reply = typeof answer === 'string' ? { text: answer } : answer;
    if ('hang' in reply) return;
    if ('garbled' in reply) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${reply.garbled}\n\n`);
      return;
    }
    if ('status' in reply) {
      response
        .writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
        .end(reply.body ?? '{"error":{"message":"no"}}');
      return;
    }
    const {
      text,
      reasoning,
      tools,
      finish,
      usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
    } = reply;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (delta: unknown, finish: string | null = null): void => {
      response.write(
        `data: ${JSON.stringify({ id: `c${call.n}`, object: 'chat.completion.chunk', created: 1, model: call.model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
      );
    };
    if (reasoning !== undefined) send({ role: 'assistant', reasoning_content: reasoning });
    for await (const word of typeof text === 'string' ? text.split(/(?<= )/u) : (text ?? []))
      send({ role: 'assistant', content: word });
    tools?.forEach((use, index) =>
      send({
        tool_calls: [
          {
            index,
            id: use.id ?? `call-${call.n}-${index}`,
            type: 'function',
            function: { name: use.name, arguments: use.arguments ?? JSON.stringify(use.input) },
          },
        ],
      }),
    );
    if (finish === null) {
      response.end();
      return;
    }
    send({}, finish ?? (tools === undefined ? 'stop' : 'tool_calls'));
    response.write(
      `data: ${JSON.stringify({ id: `c${call.n}`, object: 'chat.completion.chunk', created: 1, model: call.model, choices: [], usage })}\n\n`,
    );
    response.end('data: [DONE]\n\n');
  }
}

/** The text of a message, whatever form its content has. */
export function textOf(message: ChatMessage | undefined): string {
  const content = message?.content;
  return typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join('');
}

/** The last message of a call. */
export function last(call: ModelCall): { role: string; text: string } {
  const message = call.messages.at(-1);
  return { role: message?.role ?? '', text: textOf(message) };
}

/** What came last: neighbouring messages of a user's come as parts of one. */
export function newest(call: ModelCall): string {
  const content = call.messages.at(-1)?.content;
  return typeof content === 'string' ? content : (content?.at(-1)?.text ?? '');
}
