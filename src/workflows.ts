/**
 * For who composes a worker by hand, for example with workflows of an app beside those of this package.
 *
 * `workflowBundle` is for a worker that serves sessions and runs only. Whoever bundles workflows of their own as well exports everything of
 * `bundleOptions.workflowsPath` from their module of workflows and gives the other options to Temporal's bundler as they are. A worker of
 * `createWorker` does all of this by itself.
 */
import { bundleOptions, shippedPath } from './workflow-bundle.ts';

export { bundleOptions };

/** The prebuilt bundle, for `workflowBundle` of Temporal's worker. */
export const workflowBundle = { codePath: shippedPath };
