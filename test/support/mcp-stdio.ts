/** A server of last year's MCP over its standard streams, made with the official SDK of then. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new McpServer({ name: 'old', version: '1.0.0' });
server.registerTool(
  'greet',
  { description: 'Greets.', inputSchema: { name: z.string() }, annotations: { idempotentHint: true } },
  ({ name }) => ({ content: [{ type: 'text', text: `Hello ${name}, ${process.env['GREETING'] ?? ''}` }] }),
);
await server.connect(new StdioServerTransport());
