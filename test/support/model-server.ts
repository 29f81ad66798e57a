/**
 * A model behind a real HTTP server that speaks the protocols of the providers, each at its own path, so that tests drive the real provider
 * packages: chat completions, Anthropic's messages, OpenAI's responses. What it is asked by any of them is handed to the test in the form of the
 * first. It counts its calls outside of any worker: a step that is taken twice shows.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { anthropic } from './anthropic-wire.ts';
import { chat } from './chat-wire.ts';
import type { ChatMessage, ModelCall, Said, ToolUse, Wire } from './model-words.ts';
import { responses } from './responses-wire.ts';

export type { ChatMessage, ModelCall, ToolUse };

/** What a client needs to read what has come. */
const READ_MS = 100;

const WIRES: readonly Wire[] = [anthropic, responses];

/** What the model says, an HTTP status, nothing at all (`hang`, until the caller goes away), or a connection that breaks (`drop`). */
export type Reply =
  | Said
  | { status: number; headers?: Record<string, string>; body?: string }
  /** What comes on the stream instead of a chunk. */
  | { garbled: string }
  | { hang: true }
  | { drop: true };

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
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>;
    const wire = WIRES.find(({ path }) => request.url?.endsWith(path) === true) ?? chat;
    const { messages, described } = wire.read(body);
    const call: ModelCall = {
      messages,
      model: String(body['model']),
      n: this.calls.length + 1,
      tools: Object.keys(described),
      described,
      path: wire.path,
      body,
      headers: request.headers,
    };
    this.calls.push(call);
    // A script that throws is told at once, and not by silence.
    const answer = await Promise.resolve(call)
      .then(this.reply)
      .catch((error: unknown) => ({ status: 400, body: JSON.stringify({ error: { message: String(error) } }) }));
    const reply: Reply = typeof answer === 'string' ? { text: answer } : answer;
    if ('hang' in reply) return;
    if ('drop' in reply) {
      request.socket.destroy();
      return;
    }
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
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const { said, end } = wire.write(reply, call);
    const { breaks, held = [] } = reply;
    for (const frame of said) {
      const text = frameOf(frame);
      for (const { word, until } of held) if (text.includes(word)) await until;
      response.write(text);
    }

    if (breaks === 'stall') return;
    // Most clients have begun to read by then; to one that has not it breaks as well.
    if (breaks === 'drop') setTimeout(() => request.socket.destroy(), READ_MS);
    else if (breaks !== undefined) response.end(frameOf({ type: 'error', sequence_number: 1, ...breaks }));
    else if (reply.finish === null) response.end();
    else {
      for (const frame of end) response.write(frameOf(frame));
      response.end(wire === chat ? 'data: [DONE]\n\n' : undefined);
    }
  }
}

function frameOf(frame: object): string {
  const event = 'type' in frame ? `event: ${String(frame.type)}\n` : '';
  return `${event}data: ${JSON.stringify(frame)}\n\n`;
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

/** A model that makes the calls a user's text names (JSON: `[{"name", "input"}]`) and answers what it read of the rest. */
export function callsInText({ messages }: ModelCall): string | Reply {
  const last = messages.at(-1);
  const content = typeof last?.content === 'string' ? last.content : JSON.stringify(last?.content);
  return last?.role === 'user' && content.startsWith('[{"name"')
    ? { tools: JSON.parse(content) as ToolUse[] }
    : `read ${content}`;
}
