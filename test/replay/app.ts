/** The app whose histories are kept: one agent behind a scripted model, and tasks for every way in which a run may go. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { z } from 'zod';
import { defineAgent, defineConfig, defineTask, defineTool } from '../../src/define.ts';
import { last, ModelServer, type ModelCall, type Reply } from '../support/model-server.ts';

/** Where workflow types are served that know nothing of this project. */
export const ELSEWHERE = 'elsewhere';
/** Where a worker is told of every run. */
export const HOOKED = 'hooked';

/** The first words of the last message decide what the model does. */
export async function startModel(): Promise<ModelServer> {
  let failures = 1;
  return ModelServer.start((call): Reply | string => {
    const { role, text } = last(call);
    if (text.includes('hang')) return { hang: true };
    if (text.includes('refuse')) return { status: 400 };
    if (text.includes('retry') && failures-- > 0) return { status: 503 };
    return role === 'user' ? asked(call, text) : 'ok';
  });
}

const start = (input: object): Reply => ({ tools: [{ name: 'start_run', input }] });

function asked({ messages }: ModelCall, text: string): Reply | string {
  if (text.startsWith('use'))
    return {
      text: 'Using. ',
      tools: [
        { name: 'add', input: { a: 1, b: 2 } },
        { name: 'nothing', input: {} },
      ],
    };
  if (text.startsWith('pay')) return { tools: [{ name: 'pay', input: { euros: 5 } }] };
  if (text.startsWith('mail')) return { tools: [{ name: 'mail', input: { to: 'anna' } }] };
  if (text.startsWith('report') || text.includes('ended without'))
    return !JSON.stringify(messages).includes('tool_calls')
      ? { tools: [{ name: 'report_result', input: { result: { rows: 1 } } }] }
      : 'ok';
  if (text.startsWith('start nested')) return start({ agent: 'helper', input: 'start inner', label: 'inner' });
  if (text.startsWith('start and wait')) return start({ agent: 'work', input: 1, wait: true });
  if (text.startsWith('start and let go')) return start({ agent: 'hears', input: 1, wait: true });
  if (text.startsWith('start a question')) return start({ agent: 'helper', input: 'ask' });
  if (text.startsWith('start')) return start({ agent: 'work', input: 'start inner', label: 'inner' });
  if (text.startsWith('ask') && !JSON.stringify(messages).includes('ask_parent'))
    return {
      tools: [
        { name: 'report_milestone', input: { name: 'asking' } },
        { name: 'ask_parent', input: { question: 'Which year?' } },
      ],
    };
  return 'ok';
}

const add = defineTool({
  name: 'add',
  description: 'Adds.',
  input: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => ({ sum: a + b }),
});

/** A person is to approve it. */
const pay = defineTool({
  name: 'pay',
  description: 'Pays.',
  input: z.object({ euros: z.number() }),
  approval: true,
  idempotencyKey: ({ euros }) => `${euros}`,
  execute: ({ euros }) => ({ paid: euros }),
});

/** Its calls are runs. */
const mail = defineTool({
  name: 'mail',
  description: 'Mails.',
  input: z.object({ to: z.string() }),
  detached: true,
  approval: true,
  execute: ({ to }) => ({ sent: to }),
});

const work = defineTask({
  name: 'work',
  run: async (input, ctx) => {
    ctx.progress({ fraction: 0.5 });
    await ctx.milestone('half');
    return { input: input as string };
  },
});

/** Ends only when it is cancelled. */
const stuck = defineTask({
  name: 'stuck',
  run: async (_input, ctx) =>
    new Promise<never>((_, reject) => {
      ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
    }),
});

/** Does not even end then. */
const deaf = defineTask({ name: 'deaf', run: async () => new Promise<never>(() => undefined) });

const fails = defineTask({
  name: 'fails',
  retries: 0,
  run: () => {
    throw new Error('no');
  },
});

const flaky = defineTask({
  name: 'flaky',
  run: (_input, { attempt }) => {
    if (attempt === 1) throw new Error('not yet');
    return attempt;
  },
});

/** Ends with the first message. */
const hears = defineTask({
  name: 'hears',
  run: async (_input, { messages }) => {
    for await (const { message } of messages) return message;
    return null;
  },
});

const large = defineTask({ name: 'large', run: (bytes) => 'x'.repeat(bytes as number) });

const counts = defineTask({ name: 'counts', input: z.object({ to: z.number() }), run: ({ to }) => to });

let toldOf = 0;

/** `hooked`: told of every run that starts or finishes. */
export function appAt(modelUrl: string, hooked = false): ReturnType<typeof defineConfig> {
  return defineConfig({
    ...(hooked ? { taskQueue: HOOKED, onRunStart: () => undefined, onRunFinish: () => undefined } : {}),
    agents: [
      defineAgent({
        name: 'helper',
        instructions: 'Help.',
        model: createOpenAICompatible({ name: 'local', baseURL: modelUrl, includeUsage: true })('test'),
        tools: [add, pay, mail],
        canStart: ['work', 'hears', 'helper'],
      }),
      defineAgent({
        name: 'clerk',
        instructions: 'Report.',
        model: createOpenAICompatible({ name: 'local', baseURL: modelUrl, includeUsage: true })('test'),
        output: z.object({ rows: z.number() }),
      }),
    ],
    tasks: [work, stuck, deaf, fails, flaky, hears, large, counts],
    workflows: { doubles: { taskQueue: ELSEWHERE } },
    handlers: {
      told: () => undefined,
      toldAgain: () => {
        toldOf += 1;
        if (toldOf === 1) throw new Error('not now');
      },
    },
  });
}
