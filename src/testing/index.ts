/**
 * For tests of an app, in any test runner: a Temporal dev server, workers in this process and in others that die when told, models whose
 * answers the test gives, tasks that it drives by hand, and waits that end at a condition. And the demo model, to begin with.
 */
export {
  startTestEnvironment,
  type TestEnvironment,
  type TestEnvironmentOptions,
  type TestProcessSettings,
  type TestWorker,
  type TestWorkerSettings,
} from './environment.ts';
export { startTestServer, type TestServer, type TestServerOptions } from './server.ts';
export type { Exit, WorkerProcess } from './worker-process.ts';
export {
  scriptedModel,
  type ModelCall,
  type ModelReply,
  type ModelScript,
  type ScriptedModel,
} from './model/scripted-model.ts';
export { demoModel } from './model/demo-model.ts';
export {
  manualTask,
  type ManualRun,
  type ManualTask,
  type ManualTaskOptions,
  type StartedOptions,
} from './manual-task.ts';
export { eventually } from './eventually.ts';
export { allEvents, atRest, textOf } from './session.ts';
