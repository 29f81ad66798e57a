/**
 * Finding or starting Temporal, for `npm start` and for the tests: where the environment says it is, a CLI to start a dev server with,
 * the dev server itself, and connections whose failures are one sentence.
 */
export { resolveEnvironment, type ConnectionSettings, type Environment } from './server/environment.ts';
export { findCli, type FindCliOptions } from './server/find-cli.ts';
export { startDevServer, type DevServer, type DevServerOptions } from './server/dev-server.ts';
export { checkNamespace, connect, connectNative, type Connected, type Where } from './server/connect.ts';
export { connectionFailure } from './server/failure.ts';
export { ServerProblem } from './server/problem.ts';
