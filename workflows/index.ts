/** The workflow types of the bundle. Nobody imports this file: the worker names it by path, clients name the types. */
export { run } from './run.ts';
export { session } from './session.ts';
