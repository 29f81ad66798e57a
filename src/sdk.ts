/** What must be true of the Temporal SDK that is installed: there is one copy of it, and it has what is used beside its documented surface. */
import { createRequire } from 'node:module';
import { InvalidInput } from './errors.ts';

const load = createRequire(import.meta.url);

/** The version of the Temporal SDK that this package finds. */
export function sdkVersion(): string {
  return (load('@temporalio/workflow/package.json') as { version: string }).version;
}

/**
 * Looks whether workflow code will find what it needs of the SDK.
 *
 * @throws InvalidInput when it will not.
 */
export function checkSdk(): void {
  const missing = missingInSdk();
  if (missing !== undefined)
    throw new InvalidInput(
      `Expected a version of @temporalio/workflow that has ${missing}, which ${sdkVersion()} has not; install the version that the package.json of outlive names.`,
    );
}

function missingInSdk(): string | undefined {
  try {
    load.resolve('@temporalio/workflow/lib/global-attributes.js');
    const { Activator } = load('@temporalio/workflow/lib/internals.js') as {
      Activator: new (options: object) => object;
    };
    const activator = new Activator({ info: {}, now: 0, sourceMap: {}, randomnessSeed: [0], patches: [] }) as Record<
      string,
      unknown
    >;
    const maps = ['signalHandlers', 'updateHandlers'].find((name) => !(activator[name] instanceof Map));
    const functions = ['dispatchBufferedSignals', 'dispatchBufferedUpdates'].find(
      (name) => typeof activator[name] !== 'function',
    );
    return maps ?? functions ?? ('currentDetails' in activator ? undefined : 'currentDetails');
  } catch (error) {
    return `an activator as it is known (${error instanceof Error ? error.message : String(error)})`;
  }
}

/**
 * Looks whether something was made by the copy of the SDK that this package uses. With two copies, values of one are not recognised by the other.
 *
 * @throws InvalidInput when it was not.
 */
export function sameCopy(
  given: unknown,
  ours: { readonly name: string; [Symbol.hasInstance](value: unknown): boolean },
  what: string,
  from: string,
): void {
  if (ours[Symbol.hasInstance](given)) return;
  const own = load.resolve(`${from}/package.json`).replace(/[\\/]package\.json$/u, '');
  const got =
    typeof given === 'object' && given !== null && given.constructor.name === ours.name
      ? `one of another copy of it; keep one version of @temporalio/* (\`npm ls ${from}\` shows them)`
      : 'something else';
  throw new InvalidInput(`Expected the ${what} to be a ${ours.name} of ${from} at ${own}, got ${got}.`);
}
