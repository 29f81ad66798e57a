/**
 * Programs of this machine: finding one on a PATH and running one to its end.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { inSentence } from './problem.ts';

/** Every executable file of that name on the PATH, in its order. */
export function onPath(name: string, env: NodeJS.ProcessEnv): string[] {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  return [...new Set(folders)].map((folder) => join(folder, name)).filter(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Runs a program to its end and returns what it printed; rejects with the last line of its errors. */
export function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 24 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (error.killed === true) reject(new Error(`it did not end within ${timeoutMs / 1000} s`));
        else reject(new Error(lastLine(stderr) ?? inSentence(error.message)));
      },
    );
  });
}

/** The line that most likely says why: the last one that a program marks as an error, or else the last one. */
export function lastLine(text: string): string | undefined {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const line = lines.findLast((candidate) => /^(error|panic)\b|level=ERROR/i.test(candidate)) ?? lines.at(-1);
  return line === undefined ? undefined : inSentence(line.replace(/^error:\s*/i, ''));
}
