/** Where the example reads and writes: names that a model chose stay inside the folder they belong to, and files appear whole or not at all. */
import { randomUUID } from 'node:crypto';
import { lstatSync, realpathSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

/** The path of `name` inside `folder`. Throws when it leads outside: through `..`, as an absolute path, or by a link. */
export function inside(folder: string, name: string): string {
  const root = resolve(folder);
  const path = resolve(root, name);
  if (name === '' || name.includes('\0') || !within(root, path)) throw outside(name);
  const base = existing(path);
  if (base !== root && within(root, base) && !within(realpathSync(root), realpathSync(base))) throw outside(name);
  return path;
}

/** The name of a session's folder in the output folder. */
export function sessionFolder(sessionId: string): string {
  return encodeURIComponent(sessionId).replace(/^\.+$/, '_');
}

/** A path inside `folder` as a name that `inside` takes again, with `/`. */
export function nameIn(folder: string, path: string): string {
  return relative(resolve(folder), path).split(sep).join('/');
}

/** Writes a file whole: readers see the old one or the new one. Makes the folders on the way. */
export async function writeWhole(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new Error(`The disk is full: ${basename(path)} could not be written. Make room, then ask again.`, {
        cause: error,
      });
    throw error;
  }
}

function within(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** The longest part of a path that exists, be it a link that leads nowhere. */
function existing(path: string): string {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined || dirname(path) === path
    ? path
    : existing(dirname(path));
}

function outside(name: string): Error {
  return Object.assign(
    new Error(`Expected a name inside the folder of this app, got ${JSON.stringify(name.slice(0, 200))}.`),
    { name: 'InvalidInput' },
  );
}

/** A file of a session, by its name in the session's folder or in the output folder; never one of another session. */
export function ofSession(folder: string, sessionId: string, name: string): string {
  const own = sessionFolder(sessionId);
  return inside(join(folder, own), name.startsWith(`${own}/`) ? name.slice(own.length + 1) : name);
}
