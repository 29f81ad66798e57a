/** The workflow code as one file, which a worker evaluates in its sandbox. It fits every configuration. */
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type BundleOptions } from '@temporalio/worker';
import { failureConverterPath, pathOf, payloadConverterPath } from './data-converter.ts';
import { sdkVersion } from './sdk.ts';

/** What Temporal's bundler needs to know, for who adds workflows of their own. */
export const bundleOptions = {
  workflowsPath: pathOf('../workflows/index'),
  workflowInterceptorModules: [pathOf('../workflows/activations')],
  preloadModules: [pathOf('../workflows/stateless')],
  payloadConverterPath,
  failureConverterPath,
} satisfies BundleOptions;

/** Where the package has the bundle. */
export const shippedPath = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));

/** How a shipped bundle begins that was made with the version of the SDK that is installed. */
export function mark(): string {
  return `/* @temporalio/workflow ${sdkVersion()} */ `;
}

/** Makes the bundle, which takes some seconds. */
export async function bundleWorkflows(): Promise<{ code: string }> {
  const logger = { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error };
  return bundleWorkflowCode({ ...bundleOptions, logger });
}

/** What the bundle is made of in the repository, the installed packages by their list; the first of it is not there in the package. */
const MADE_OF = ['node_modules/.package-lock.json', 'src/**/*.ts', 'workflows/**/*.ts'];
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The bundle made from sources: once for all starts between two changes of them, as a worker in the place of a lost one is waited for. */
export async function sourceBundle(): Promise<{ code: string }> {
  const files = MADE_OF.map((pattern) => globSync(pattern, { cwd: ROOT }).toSorted());
  if (files[0]?.length === 0) return bundleWorkflows();
  const hash = createHash('sha256');
  for (const file of files.flat()) hash.update(`${file}\n`).update(readFileSync(join(ROOT, file)));
  const path = join(ROOT, 'node_modules/.cache/outlive/workflow-bundle.js');
  return kept(path, hash.digest('hex'), bundleWorkflows);
}

/** What was made when its key was the same, else what is made now, and kept in the place of the other. */
export async function kept(
  path: string,
  key: string,
  make: () => Promise<{ code: string }>,
): Promise<{ code: string }> {
  // On the bundle's first line, so that its source map stays right.
  const head = `/* ${key} */ `;
  const code = await readFile(path, 'utf8').catch(() => '');
  if (code.startsWith(head)) return { code };
  const made = await make();
  const own = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(own, head + made.code);
    await rename(own, path);
  } catch {
    // It can be made again.
    await rm(own, { force: true }).catch(() => undefined);
  }
  return made;
}

/** The bundle that the package ships, if that was made with the version of the SDK that is installed. */
export async function shippedBundle(): Promise<{ code: string } | undefined> {
  const code = await readFile(shippedPath, 'utf8').catch(() => '');
  return code.startsWith(mark()) ? { code } : undefined;
}
