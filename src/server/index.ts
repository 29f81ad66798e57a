/**
 * Finding or starting Temporal, for `npm start` and for the tests: where the environment says it is, a CLI to start a dev server with,
 * the dev server itself, and connections whose failures are one sentence.
 */
export { resolveEnvironment, type ConnectionSettings, type Environment } from './environment.ts';
export { findCli, type FindCliOptions } from './find-cli.ts';
export { runningDevServer, startDevServer, type DevServer, type DevServerOptions } from './dev-server.ts';
export { checkNamespace, connect, connectNative, type Connected, type Where } from './connect.ts';
export { connectionFailure } from './failure.ts';
export { inSentence, reasonOf, ServerProblem } from './problem.ts';
