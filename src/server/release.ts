/**
 * The release of the Temporal CLI that is fetched when this machine has none, and where its binary is kept.
 * A binary is made in a folder of its own and renamed into place when it has answered: two processes at once, or a kill in the middle, leave
 * either no binary or a whole one.
 */
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { reasonOf } from './problem.ts';
import { run } from './run.ts';

export const CLI_VERSION = '1.9.1';
/** The newest version that `go install` accepts: later ones have a `replace` in their go.mod. */
export const GO_CLI_VERSION = '1.5.1';

const ANSWER_WITHIN_MS = 30_000;
const INCOMING = 'incoming-';
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;

/** The folder for what this project keeps for the user between runs. */
export function defaultCacheDir(env: NodeJS.ProcessEnv): string {
  const xdg = env['XDG_CACHE_HOME'];
  const root = xdg !== undefined && isAbsolute(xdg) ? xdg : join(env['HOME'] || homedir(), '.cache');
  return join(root, 'outlive');
}

/** Platform and processor are part of the path because a home folder may be shared between machines. */
export function cachedCli(cacheDir: string, version: string): string {
  return join(cacheDir, `temporal-cli-${version}`, `${process.platform}-${process.arch}`, 'temporal');
}

/** The first line of `--version`. Rejects when the file is not a Temporal CLI that runs here. */
export async function versionOf(cli: string): Promise<string> {
  const [line = ''] = (await run(cli, ['--version'], process.env, ANSWER_WITHIN_MS)).split('\n');
  if (!line.startsWith('temporal version '))
    throw new Error(`it answers --version with ${JSON.stringify(line.slice(0, 80))}`);
  return line;
}

/** Puts the binary that `make` leaves in its folder into place at `target`. */
export async function install(target: string, make: (folder: string) => Promise<string>): Promise<string> {
  const parent = dirname(target);
  await mkdir(parent, { recursive: true });
  await removeAbandoned(parent);
  const folder = await mkdtemp(join(parent, INCOMING));
  try {
    const binary = await make(folder);
    await chmod(binary, 0o755);
    await versionOf(binary).catch((error: unknown) => {
      throw new Error(`the binary does not run here (${reasonOf(error)})`);
    });
    await rename(binary, target);
    return target;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const folder = join(parent, name);
    const made = name.startsWith(INCOMING) ? await stat(folder).catch(() => undefined) : undefined;
    if (made !== undefined && Date.now() - made.mtimeMs > ABANDONED_AFTER_MS)
      await rm(folder, { recursive: true, force: true });
  }
}
