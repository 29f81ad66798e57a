/** The package as others get it: packed, and installed with npm into a folder of its own that knows nothing of this repository. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** The packed file. */
export async function pack(folder: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: ROOT });
  return join(folder, stdout.trim().split('\n').at(-1) ?? '');
}

export class Project implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'outlive-app-'));

  write(name: string, content: string | object): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));
  }

  /** A file of JSON. */
  read(name: string): unknown {
    return JSON.parse(readFileSync(join(this.folder, name), 'utf8'));
  }

  /** Installs packages, by name and version or by file, as a person would. */
  async install(...packages: string[]): Promise<void> {
    await this.run('npm', 'install', '--save-exact', '--no-audit', '--no-fund', '--prefer-offline', ...packages);
  }

  /** @throws with what it printed when it fails. */
  async run(command: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
    try {
      return await run(command, args, { cwd: this.folder, maxBuffer: 2 ** 24 });
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
    }
  }

  /** What the compiler says of the project and of everything that it imports, but for what the SDK's own declarations lack (of `ms`). */
  async typeErrors(): Promise<string[]> {
    const { stdout } = await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], {
      cwd: this.folder,
    }).catch((error: { stdout: string }) => error);
    return stdout
      .split('\n')
      .filter((line) => /^\S/u.test(line) && !line.startsWith('node_modules/@temporalio/common/lib/time.d.ts'));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
