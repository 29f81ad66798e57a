/** `node examples/research/ask.ts "a question"`: asks the researcher, shows what happens, and asks you before anything is published. */
import { createInterface } from 'node:readline/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { OutliveClient, type EventItem, type SessionHandle } from '../../src/client/index.ts';

const [question = 'What holds when a worker dies?'] = process.argv.slice(2);
const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '127.0.0.1:7233' });
const client = new OutliveClient(new Client({ connection }), { taskQueue: 'research' });
const session = await client.startSession(`research-${Date.now()}`);
const person = createInterface({ input: process.stdin, output: process.stdout });
try {
  await session.submitTurn({ input: question });
  await follow(session);
  await session.close();
} finally {
  person.close();
  await connection.close();
}

/** Shows what is new, and answers what is asked, until nothing is left to do. */
async function follow(session: SessionHandle): Promise<void> {
  let cursor: string | undefined;
  for (;;) {
    for await (const event of session.events(cursor === undefined ? {} : { after: cursor })) {
      ({ cursor } = event);
      const line = lineOf(event);
      if (line !== undefined) console.log(line);
    }
    const { status, queue, runs, requests } = await session.getSession();
    for (const { requestId, toolName, input } of requests) {
      console.log(`\n${toolName} wants to be called with\n${JSON.stringify(input, null, 2)}`);
      const said = await person.question('Approve? [y/N, or why not] ');
      const isYes = /^y(es)?$/iu.test(said.trim());
      await session.answer({
        requestId,
        decision: isYes ? 'approve' : 'reject',
        by: 'you',
        ...(isYes || /^n?o?$/iu.test(said.trim()) ? {} : { comment: said }),
      });
    }
    if (status === 'idle' && queue.length === 0 && runs.queued + runs.running + runs.input_required === 0) return;
    await pause(300);
  }
}

function lineOf(event: EventItem): string | undefined {
  const { type } = event;
  if (type === 'run.started' || type === 'run.settled') {
    const names = [event['agent'], event['label']].filter((name) => typeof name === 'string');
    return `  [${names.join(' · ')}] ${type.slice('run.'.length)}`;
  }
  if (type !== 'message.added') return undefined;
  const { role, parts } = event['message'] as { role: string; parts: { type: string; text?: string }[] };
  const text = parts.map(({ text: words = '' }) => words).join('');
  return role === 'assistant' && text !== '' ? text : undefined;
}
