/** What others install: packed, in projects of their own, on the Node that runs these tests. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { defineTask } from '../../src/define.ts';
import { agentAt } from '../support/app.ts';
import { harness, uniqueId } from '../support/harness.ts';
import { ModelServer } from '../support/model-server.ts';
import { pack, Project } from '../support/packed.ts';

const ROOT = join(import.meta.dirname, '../..');
const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  devDependencies: Record<string, string>;
};
const exactly = (name: string): string => `${name}@${devDependencies[name]}`;

/** Another zod than this repository's. */
const OWN_ZOD = '4.1.12';
const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    strict: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    types: ['node'],
  },
};

let folder: string;
let packed: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'outlive-pack-'));
  packed = await pack(folder);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test(
  'a project with its own zod and its own Temporal workflows installs the package, type-checks strictly and runs an agent',
  { timeout: 300_000 },
  async () => {
    using app = new Project();
    const model = await ModelServer.start(({ n }) =>
      n === 1 ? { tools: [{ name: 'start_run', input: { agent: 'count', input: { to: 3 } } }] } : `answer ${n}`,
    );
    try {
      app.write('package.json', { name: 'app', private: true, type: 'module' });
      app.write('tsconfig.json', TSCONFIG);
      await app.install(
        packed,
        `zod@${OWN_ZOD}`,
        exactly('ai'),
        exactly('@ai-sdk/openai-compatible'),
        exactly('typescript'),
        exactly('@types/node'),
      );
      app.write(
        'workflows.ts',
        `export async function hello(name: string): Promise<string> { return Promise.resolve(\`Hello \${name}.\`); }\n`,
      );
      app.write(
        'temporal.config.ts',
        `import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { defineAgent, defineConfig, defineTask } from 'outlive';
import { z } from 'zod';

const model = createOpenAICompatible({ name: 'local', baseURL: '${model.url}', includeUsage: true })('test-model');
const count = defineTask({
  name: 'count',
  description: 'Counts.',
  input: z.object({ to: z.number() }),
  run: async ({ to }, ctx) => {
    ctx.progress({ fraction: 1 });
    await ctx.milestone('counted', { to });
    return { counted: to };
  },
});
const helper = defineAgent({ name: 'helper', instructions: 'Help.', model, canStart: ['count'] });
export default defineConfig({ taskQueue: '${uniqueId('q')}', agents: [helper], tasks: [count] });
`,
      );
      app.write('testing.ts', "export * from 'outlive/testing';\n");
      app.write(
        'main.ts',
        `import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { defineAgent, defineConfig, OutliveClient, type OutliveEvent } from 'outlive';
import { createWorker } from 'outlive/worker';
import { workflowBundle } from 'outlive/workflows';
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import config from './temporal.config.ts';
import type { hello } from './workflows.ts';

const address = '${inject('address')}';
const connection = await NativeConnection.connect({ address });
const client = new Client({ connection: await Connection.connect({ address }) });
const own = await Worker.create({ connection, taskQueue: '${uniqueId('own')}', workflowsPath: new URL('./workflows.ts', import.meta.url).pathname });
const ours = await createWorker(config, { connection });
const named = defineConfig({ agents: [defineAgent({ name: 'named', instructions: 'Help.', model: 'anthropic:claude' })] });
const refused = await createWorker(named, { connection }).then(() => '', (error: Error) => error.message);
await ours.runUntil(async () => own.runUntil(async () => {
  const said = await client.workflow.execute<typeof hello>('hello', { args: ['World'], taskQueue: own.options.taskQueue, workflowId: '${uniqueId('hello')}' });
  const outlive = new OutliveClient(client, config.taskQueue === undefined ? {} : { taskQueue: config.taskQueue });
  const session = await outlive.startSession('${uniqueId('s')}', { agent: 'helper' });
  await session.submitTurn({ input: 'Count to three.' });
  const types: OutliveEvent['type'][] = [];
  for (let seen = 0; types.filter((type) => type === 'turn.completed').length < 2; ) {
    await setTimeout(50);
    for await (const event of session.events({ after: seen })) types.push(event.type), (seen = event.seq);
  }
  const [run] = (await session.listRuns()).runs;
  const result = run === undefined ? undefined : await session.run(run.runId).result();
  const texts = (await session.getTranscript()).messages.map(({ parts }) => parts.map((part) => part['text'] ?? '').join(''));
  await session.close();
  console.log(JSON.stringify({ said, result, last: texts.at(-1), bundle: existsSync(workflowBundle.codePath), refused }));
}));
await connection.close();
process.exit(0);
`,
      );
      const node = process.execPath;
      expect(await app.typeErrors()).toEqual([]);
      const { stdout, stderr } = await app.run(node, 'main.ts');
      const answer = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
      expect({ ...answer, stderr }).toMatchObject({
        said: 'Hello World.',
        result: { counted: 3 },
        last: 'answer 3',
        bundle: true,
        refused:
          'Expected the package @ai-sdk/anthropic to be installed (npm install @ai-sdk/anthropic): agent named has the model "anthropic:claude".',
      });
      const copies = await app.run('npm', 'ls', '@temporalio/common', '--parseable', '--all');
      expect(new Set(copies.stdout.trim().split('\n')).size).toBe(1);
    } finally {
      await model.stop();
    }
  },
);

test(
  'the test that docs/testing.md shows passes in a project that has the package and vitest',
  { timeout: 600_000 },
  async () => {
    using app = new Project();
    const examples = [
      ...readFileSync(join(ROOT, 'docs/testing.md'), 'utf8').matchAll(
        /`([\w.]+\.js)`[^`]*(?:`[^`]+`[^`]*)*?:\n\n```js\n([\s\S]*?)```/gu,
      ),
    ];
    expect(examples.map(([, name]) => name)).toEqual(['temporal.config.js', 'helper.test.js']);
    for (const [, name = '', code = ''] of examples) app.write(name, code);
    app.write('package.json', { name: 'app', private: true, type: 'module' });
    await app.install(packed, exactly('ai'), exactly('vitest'), exactly('vite'));
    const report = ['--reporter', 'json', '--outputFile', 'report.json'];
    await app.run(process.execPath, 'node_modules/vitest/vitest.mjs', 'run', ...report);
    expect(app.read('report.json')).toMatchObject({ success: true, numPassedTests: 2, numTotalTests: 2 });
  },
);

test(
  'X-10 without the AI SDK installed, client and task-only worker import and run, and outlive/testing imports',
  { timeout: 300_000 },
  async () => {
    using app = new Project();
    await using rest = await harness();
    const model = await ModelServer.start(() => 'ok');
    try {
      app.write('package.json', { name: 'app', private: true, type: 'module' });
      await app.install(packed);
      await expect(app.run('npm', 'ls', 'ai')).rejects.toThrow('(empty)');
      app.write(
        'main.js',
        `import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { defineAgent, defineConfig, OutliveClient } from 'outlive';
import { OutliveClient as Same } from 'outlive/client';
import { demoModel, manualTask, scriptedModel } from 'outlive/testing';
import { createWorker } from 'outlive/worker';

const [address, taskQueue, sessionId] = process.argv.slice(2);
const double = manualTask('double');
const config = defineConfig({ taskQueue, agents: [], tasks: [double], serve: ['tasks'] });
const connection = await NativeConnection.connect({ address });
const worker = await createWorker(config, { connection });
const talks = defineConfig({ taskQueue, agents: [defineAgent({ name: 'talks', instructions: 'Help.', model: demoModel() })] });
const refused = await createWorker(talks, { connection }).then(() => '', ({ message }) => message);
const models = [demoModel(), scriptedModel(['ok'])].map(({ modelId }) => modelId);
const client = new OutliveClient(new Client({ connection: await Connection.connect({ address }) }), { taskQueue });
await worker.runUntil(async () => {
  const session = await client.startSession(sessionId);
  const { runId } = await session.startRun({ agent: 'double', input: { n: 21 } });
  const run = await double.started();
  await run.finish({ doubled: 2 * run.input.n });
  const result = await session.run(runId).result();
  await session.close();
  console.log(JSON.stringify({ result, models, refused, same: Same === OutliveClient, queues: worker.taskQueues }));
});
process.exit(0);
`,
      );
      // Everything else is served elsewhere; it knows the task's name, and takes none of its runs.
      await rest.work({
        agents: [agentAt(model.url)],
        tasks: [defineTask({ name: 'double', run: () => 'elsewhere' })],
        serve: ['workflows', 'models', 'tools'],
      });
      const { stdout } = await app.run(process.execPath, 'main.js', rest.address, rest.taskQueue, uniqueId());
      expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({
        result: { doubled: 42 },
        models: ['demo', 'scripted'],
        refused: 'Expected the package ai to be installed (npm install ai): agent talks needs it to call its model.',
        same: true,
        queues: [`${rest.taskQueue}.tasks`],
      });
    } finally {
      await model.stop();
    }
  },
);

test(
  'W-10 a project that init has made type-checks, and its test passes; nothing that was there is overwritten',
  { timeout: 300_000 },
  async () => {
    using app = new Project();
    app.write('package.json', {
      name: 'mine',
      type: 'commonjs',
      scripts: { test: 'echo "no test specified"', go: 'x' },
    });
    await app.install(packed);
    const { stdout } = await app.run('npx', '--no-install', 'outlive', 'init');
    expect(stdout).toContain('npx outlive dev');
    expect(app.read('package.json')).toMatchObject({
      name: 'mine',
      type: 'module',
      scripts: { dev: 'outlive dev', test: 'vitest run', go: 'x' },
      dependencies: { outlive: expect.stringContaining('.tgz') as string },
    });
    await app.install();
    expect(await app.typeErrors()).toEqual([]);
    const report = ['--reporter', 'json', '--outputFile', 'report.json'];
    await app.run('env', `TEMPORAL_CLI_PATH=${inject('cli')}`, 'npm', 'test', '--', ...report);
    expect(app.read('report.json')).toMatchObject({ success: true, numPassedTests: 1, numTotalTests: 1 });

    const before = app.read('package.json');
    await expect(app.run('npx', '--no-install', 'outlive', 'init')).rejects.toThrow(
      'Expected . to have no temporal.config.ts, no talk.ts, no tasks/count-words.ts, no test/helper.test.ts, no tsconfig.json: take another folder, or move what is there.',
    );
    expect(app.read('package.json')).toEqual(before);
  },
);
