/** One Temporal dev server, in memory, and one workflow bundle for the whole test run. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { TestProject } from 'vitest/node';
import { findCli, startDevServer } from '../../src/server/index.ts';
import { sourceBundle } from '../../src/workflow-bundle.ts';

declare module 'vitest' {
  interface ProvidedContext {
    address: string;
    bundlePath: string;
    cli: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const say = (line: string): void => console.log(line);
  const cli = await findCli({ say });
  const folder = await mkdtemp(join(tmpdir(), 'outlive-test-'));
  const server = await startDevServer({ cli, say });
  const bundlePath = join(folder, 'workflows.js');
  await writeFile(bundlePath, (await sourceBundle()).code);
  project.provide('address', server.address);
  project.provide('bundlePath', bundlePath);
  project.provide('cli', cli);
  return async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
