/** Says something to the session `demo` and shows what is said until all is at rest: node talk.ts "Run count_words on README.md" */
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { OutliveClient } from 'outlive';

// TEMPORAL_ADDRESS and the like; else 127.0.0.1:7233, where the server of `npx outlive dev` is. When that port is in use, `dev` takes another one
// and says what to set TEMPORAL_ADDRESS to.
const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
const connection = await Connection.connect(connectionOptions);
const client = new OutliveClient(new Client({ connection, namespace }));

const session = await client.startSession('demo', { title: 'My first session' }, { ifExists: 'use' });
let after = (await session.getTranscript()).messages.at(-1)?.id;
await session.submitTurn({ input: process.argv.slice(2).join(' ') || 'Run count_words on README.md' });

for (let isAtRest = false; !isAtRest; await pause(300)) {
  const { status, queue, runs } = await session.getSession();
  isAtRest = status === 'idle' && queue.length === 0 && runs.queued + runs.running === 0;
  const { messages } = await session.getTranscript(after === undefined ? {} : { after });
  for (const { id, role, parts } of messages) {
    after = id;
    for (const part of parts) if (part.type === 'text') console.log(`${role}: ${String(part.text)}`);
  }
}
await connection.close();
