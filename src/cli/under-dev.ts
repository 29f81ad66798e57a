/**
 * What passes between `outlive dev` and the worker that it keeps running. The configuration is loaded by the worker alone: code of an app that
 * runs once in an app is not run twice here.
 */
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';
import { isObject } from '../schemas/shapes.ts';
import { isSentence, Problem } from './problem.ts';
import type { Refusal } from './supervise.ts';

/** From the worker: it has imported a file, or would if it were there, or wants to know where the server is, because nothing else names one. */
export type ToDev = { imported: string } | { wantsServer: { namespace: string } };

/** To the worker: where the server is, or why it is none for it. */
export type FromDev = { address: string } | { refused: string };

export function isToDev(message: unknown): message is ToDev {
  return isObject(message) && ('imported' in message || 'wantsServer' in message);
}

/** Tells of each file of the app that is imported from now on, also of one that is not there. Node tells since 22.15. */
export function tellImports(): void {
  const { registerHooks } = nodeModule as Partial<typeof nodeModule>;
  registerHooks?.({
    resolve(specifier, context, next) {
      let url = missing(specifier, context.parentURL);
      try {
        const resolved = next(specifier, context);
        ({ url } = resolved);
        return resolved;
      } finally {
        if (url?.startsWith('file:') === true && !url.includes('/node_modules/'))
          tell({ imported: fileURLToPath(url) });
      }
    },
  });
}

/** Which file a name means that leads to none; of a package there is none to be watched. */
function missing(specifier: string, parent: string | undefined): string | undefined {
  const isPath = /^(?:\.{0,2}\/|file:)/u.test(specifier);
  return isPath && URL.canParse(specifier, parent) ? new URL(specifier, parent).href : undefined;
}

/** The address of the server, once it runs. @throws Problem when it is none for this worker. */
export async function askForServer(namespace: string): Promise<string> {
  return new Promise((resolve, reject) => {
    process.once('message', (answer: FromDev) => {
      if ('address' in answer) resolve(answer.address);
      else reject(new Problem(answer.refused));
    });
    tell({ wantsServer: { namespace } });
  });
}

/** Leaves it to `outlive dev` to say, with what becomes of it, why the worker does not start; and ends the process. */
export async function orRefusal<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (!isSentence(error) || process.send === undefined) throw error;
    const refusal: Refusal = { problem: error.message };
    await new Promise((resolve) => process.send?.(refusal, resolve));
    return process.exit(1);
  }
}

function tell(message: ToDev): void {
  process.send?.(message);
}
