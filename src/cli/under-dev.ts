/**
 * What passes between `outlive dev` and the worker that it keeps running. The configuration is loaded by the worker alone: code of an app that
 * runs once in an app is not run twice here.
 */
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';
import { isObject } from '../schemas/shapes.ts';

/** From the worker: it has imported a file, or wants to know where the server is, because nothing else names one. */
export type ToDev = { imported: string } | { wantsServer: { namespace: string } };

/** To the worker. */
interface FromDev {
  address: string;
}

export function isToDev(message: unknown): message is ToDev {
  return isObject(message) && ('imported' in message || 'wantsServer' in message);
}

/** Tells of each file of the app that is imported from now on. Node tells since 22.15. */
export function tellImports(): void {
  const { registerHooks } = nodeModule as Partial<typeof nodeModule>;
  registerHooks?.({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      if (resolved.url.startsWith('file:') && !resolved.url.includes('/node_modules/'))
        tell({ imported: fileURLToPath(resolved.url) });
      return resolved;
    },
  });
}

/** The address of the server, once it runs. */
export async function askForServer(namespace: string): Promise<string> {
  return new Promise((resolve) => {
    process.once('message', ({ address }: FromDev) => resolve(address));
    tell({ wantsServer: { namespace } });
  });
}

function tell(message: ToDev): void {
  process.send?.(message);
}
