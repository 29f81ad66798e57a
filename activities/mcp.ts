/**
 * The tools of MCP servers. A server is asked for its tools once by a worker, and connected to anew for each call: nothing is held open between
 * two activities, and a server that was away is there again with the next call.
 */
import type { MCPClient } from '@ai-sdk/mcp';
import type { jsonSchema, JSONSchema7 } from 'ai';
import type { AgentDefinition, AiTool, McpServer, Schema } from '../src/define.ts';
import { messageOf } from './fit.ts';
import type { AgentTool } from './agent-tools.ts';
import { within } from './within.ts';

/** So long a server may take to say which tools it has: a model call waits for it. */
const LIST_MS = 15_000;
/** What every provider takes as the name of a tool. */
const NAME_CHARS = 64;

type Definition = Awaited<ReturnType<MCPClient['listTools']>>['tools'][number];

/** The tools of one agent's servers. */
export class McpTools {
  private readonly servers: Readonly<Record<string, McpServer>>;
  private readonly listed = new Map<string, Promise<AgentTool[]>>();

  constructor({ mcp = {} }: AgentDefinition) {
    this.servers = mcp;
  }

  /** Those of the servers that answer; one that does not is asked again the next time. */
  async all(): Promise<AgentTool[]> {
    const found = await Promise.all(Object.keys(this.servers).map(async (name) => this.of(name).catch(() => [])));
    return found.flat();
  }

  /** @throws Error with one sentence when the server that has it by its name does not answer. */
  async find(name: string): Promise<AgentTool | undefined> {
    const servers = Object.keys(this.servers).filter((server) => name.startsWith(`${server}_`));
    const found = await Promise.all(servers.map(async (server) => this.of(server)));
    return found.flat().find((tool) => tool.name === name);
  }

  private async of(name: string): Promise<AgentTool[]> {
    const known = this.listed.get(name) ?? list(name, this.servers[name] as McpServer);
    this.listed.set(name, known);
    try {
      return await known;
    } catch (error) {
      this.listed.delete(name);
      throw error;
    }
  }
}

async function list(name: string, server: McpServer): Promise<AgentTool[]> {
  const tools = await within(
    LIST_MS,
    connected(name, server, async (client) => {
      const all: Definition[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await client.listTools(cursor === undefined ? {} : { params: { cursor } });
        all.push(...page.tools);
        cursor = page.nextCursor;
        if (cursor === undefined) return all;
      }
    }),
  );
  if (tools === undefined) throw unreachable(name, `no answer within ${LIST_MS} ms`);
  const { jsonSchema } = await import('ai');
  return tools.map((definition) => toolOf(name, server, definition, jsonSchema));
}

/** `readOnlyHint` and `idempotentHint` say that it may be called again. */
function toolOf(
  server: string,
  where: McpServer,
  { name, description = '', inputSchema, annotations }: Definition,
  schemaOf: typeof jsonSchema,
): AgentTool {
  return {
    name: `${server}_${name.replaceAll(/[^A-Za-z0-9_-]/gu, '_')}`.slice(0, NAME_CHARS),
    description,
    input: ANYTHING,
    idempotent: annotations?.readOnlyHint === true || annotations?.idempotentHint === true,
    own: { description, inputSchema: schemaOf({ properties: {}, ...inputSchema } as JSONSchema7) } as AiTool,
    execute: async (input, { signal }) =>
      connected(server, where, async (client) => {
        const result = await client.callTool({
          name,
          arguments: input as Record<string, unknown>,
          options: { signal },
        });
        return outputOf(result as Result);
      }),
  };
}

/** The server checks it. */
const ANYTHING: Schema<unknown> = {
  '~standard': { version: 1, vendor: 'outlive', validate: (value) => ({ value }) },
};

interface Result {
  content?: { type: string; text?: string }[];
  structuredContent?: unknown;
  isError?: boolean;
}

/** @throws Error with what the server says of a call that failed. */
function outputOf({ content = [], structuredContent, isError }: Result): unknown {
  const texts = content.flatMap(({ type, text }) => (type === 'text' && text !== undefined ? [text] : []));
  if (isError === true) throw new Error(texts.join('\n') || 'The tool failed and did not say why.');
  if (structuredContent !== undefined) return structuredContent;
  return texts.length === content.length ? texts.join('\n') : content;
}

async function connected<T>(name: string, server: McpServer, use: (client: MCPClient) => Promise<T>): Promise<T> {
  const client = await connect(server).catch((error: unknown) => {
    throw unreachable(name, messageOf(error));
  });
  try {
    return await use(client);
  } finally {
    await client.close().catch(() => undefined);
  }
}

async function connect(server: McpServer): Promise<MCPClient> {
  const { createMCPClient } = await import('@ai-sdk/mcp');
  if ('url' in server) {
    const { url, headers } = server;
    return createMCPClient({ transport: { type: 'http', url, ...(headers === undefined ? {} : { headers }) } });
  }
  const { Experimental_StdioMCPTransport: Stdio } = await import('@ai-sdk/mcp/mcp-stdio');
  const { command, args = [], env } = server;
  return createMCPClient({ transport: new Stdio({ command, args: [...args], ...(env === undefined ? {} : { env }) }) });
}

function unreachable(name: string, why: string): Error {
  const [line = ''] = why.split('\n');
  return Object.assign(new Error(`Expected the MCP server "${name}" to answer, got "${line}".`), { name: 'McpError' });
}
