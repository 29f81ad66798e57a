/** The app's configuration, as its file exports it. */
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Config } from '../define.ts';
import { checkConfig } from '../definitions.ts';
import { reasonOf } from '../server/problem.ts';
import { Problem } from './problem.ts';

/** What a configuration is called: the first one that is there counts. */
export const CONFIG_NAMES = ['temporal.config.ts', 'temporal.config.mts', 'temporal.config.js', 'temporal.config.mjs'];

/** Where the configuration is, if there is one here. @throws Problem when one is named that is not there. */
export function findConfig(named: string | undefined): string | undefined {
  const found = (named === undefined ? CONFIG_NAMES : [named])
    .map((name) => resolve(name))
    .find((path) => existsSync(path));
  if (found === undefined && named !== undefined)
    throw new Problem(`Expected --config to name a file, got ${named}, which is none.`);
  return found;
}

/** Where the configuration is. @throws Problem when it is not there. */
export function configFile(named: string | undefined): string {
  const found = findConfig(named);
  if (found !== undefined) return found;
  throw new Problem(
    `There is no ${CONFIG_NAMES[0]} in ${process.cwd()}: make one ("outlive init" makes a project), or name it with --config.`,
  );
}

/** @throws Problem when the file cannot be loaded or exports no usable configuration. */
export async function loadConfig(path: string): Promise<Config> {
  const name = basename(path);
  if (/\.m?ts$/u.test(path) && !process.features.typescript)
    throw new Problem(
      `${name} cannot be loaded: Node ${process.versions.node} does not run TypeScript by itself, as 22.18 and newer do; take one of those, or write it as .js.`,
    );
  let loaded: { default?: unknown };
  try {
    loaded = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (error) {
    throw new Problem(`${name} cannot be loaded (${reasonOf(error)}).`, 1, { cause: error });
  }
  const config = loaded.default;
  if (typeof config !== 'object' || config === null || !Array.isArray((config as { agents?: unknown }).agents))
    throw new Problem(`Expected ${name} to export what defineConfig answers as its default, got something else.`);
  try {
    checkConfig(config as Config);
  } catch (error) {
    throw new Problem(`${name} cannot be used (${reasonOf(error)}).`, 1, { cause: error });
  }
  return config as Config;
}
