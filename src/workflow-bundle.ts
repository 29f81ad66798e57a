/** The workflow code as one file, which a worker evaluates in its sandbox. It fits every configuration. */
import { readFile } from 'node:fs/promises';
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

/** The bundle that the package ships, if that was made with the version of the SDK that is installed. */
export async function shippedBundle(): Promise<{ code: string } | undefined> {
  const code = await readFile(shippedPath, 'utf8').catch(() => '');
  return code.startsWith(mark()) ? { code } : undefined;
}
