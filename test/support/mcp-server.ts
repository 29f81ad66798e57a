/** A server of today's MCP over HTTP, made with the official SDK; it can be away, and counts what it was asked. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

export class McpTestServer {
  readonly calls: { name: string; input: unknown }[] = [];
  readonly authorized: (string | undefined)[] = [];
  private readonly http: Server;
  private port = 0;

  private constructor() {
    const handler = toNodeHandler(createMcpHandler(() => this.server()));
    this.http = createServer((request, response) => {
      this.authorized.push(request.headers.authorization);
      // Its types do not know the option of ours by which a field that is left out is not undefined.
      void handler(request as Parameters<typeof handler>[0], response);
    });
  }

  static async start(): Promise<McpTestServer> {
    const server = new McpTestServer();
    await server.listen();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/mcp`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.http.listen(this.port, '127.0.0.1', resolve);
    });
    ({ port: this.port } = this.http.address() as AddressInfo);
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((resolve) => {
      this.http.close(resolve);
    });
  }

  private server(): McpServer {
    const server = new McpServer({ name: 'test', version: '1.0.0' });
    const called = (name: string, input: unknown): void => {
      this.calls.push({ name, input });
    };
    server.registerTool(
      'add',
      {
        description: 'Adds two numbers.',
        inputSchema: z.object({ a: z.number(), b: z.number() }),
        outputSchema: z.object({ sum: z.number() }),
        annotations: { readOnlyHint: true },
      },
      ({ a, b }) => {
        called('add', { a, b });
        return { content: [{ type: 'text', text: `${a + b}` }], structuredContent: { sum: a + b } };
      },
    );
    server.registerTool('delete.all', { description: 'Deletes.', inputSchema: z.object({}) }, () => {
      called('delete.all', {});
      return { content: [{ type: 'text', text: 'Not you.' }], isError: true };
    });
    return server;
  }
}
