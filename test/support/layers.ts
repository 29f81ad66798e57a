/** Arrows point one way: checks every import of the project against the layers of docs/design.md. Exit code 1 on a violation. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** For each layer: which project files belong to it, which other layers and which packages it may import. */
interface Layer {
  name: string;
  files: RegExp;
  layers: string[];
  packages: RegExp;
}

const LAYERS: Layer[] = [
  { name: 'domain', files: /^src\/domain\//u, layers: [], packages: /^(@noble\/hashes|fflate|tinyqueue)/u },
  { name: 'errors', files: /^src\/errors\.ts$/u, layers: ['domain'], packages: /^$/u },
  { name: 'nested', files: /^src\/nested\.ts$/u, layers: ['errors'], packages: /^node:async_hooks$/u },
  { name: 'sdk', files: /^src\/sdk\.ts$/u, layers: ['errors'], packages: /^node:module$/u },
  { name: 'contract', files: /^src\/(contract\.ts|schemas\/)/u, layers: ['domain', 'errors'], packages: /^valibot$/u },
  {
    name: 'closed',
    files: /^src\/closed-workflow\.ts$/u,
    layers: ['domain', 'contract'],
    packages: /^@temporalio\/common$/u,
  },
  {
    name: 'define',
    files: /^src\/(define|definitions|model-names)\.ts$/u,
    layers: ['domain', 'errors', 'contract', 'client'],
    packages: /^(valibot|@standard-schema\/spec|@ai-sdk\/provider|@temporalio\/common)$/u,
  },
  {
    name: 'converter',
    files: /^src\/(data|payload|failure|encoded-failure)-converter\.ts$/u,
    layers: ['domain', 'contract'],
    packages: /^(node:(url|timers\/promises)|@temporalio\/common)$/u,
  },
  {
    name: 'workflows',
    files: /^workflows\//u,
    layers: ['domain', 'errors', 'contract', 'closed'],
    packages: /^@temporalio\/(workflow(\/lib\/global-attributes\.js)?|common)$/u,
  },
  {
    name: 'activities',
    files: /^activities\//u,
    layers: ['domain', 'errors', 'contract', 'closed', 'define', 'client', 'nested'],
    packages:
      /^(node:.*|ai|zod|@ai-sdk\/(provider|anthropic|openai|openai-compatible|mcp|mcp\/mcp-stdio)|@standard-schema\/spec|@temporalio\/(activity|client|common))$/u,
  },
  {
    name: 'client',
    files: /^src\/client\//u,
    layers: ['domain', 'errors', 'contract', 'closed', 'sdk', 'nested'],
    packages: /^(node:.*|@temporalio\/(client|common|proto))$/u,
  },
  { name: 'index', files: /^src\/index\.ts$/u, layers: ['contract', 'define', 'errors', 'client'], packages: /^$/u },
  { name: 'server', files: /^src\/server\//u, layers: ['errors'], packages: /^(node:.*|@temporalio\/.*)$/u },
  {
    name: 'worker',
    files: /^src\/(worker|workflow-bundle|workflows)\.ts$/u,
    layers: ['errors', 'contract', 'define', 'activities', 'converter', 'sdk'],
    packages: /^(node:.*|@temporalio\/(client|worker))$/u,
  },
  {
    name: 'cli',
    files: /^src\/cli\//u,
    layers: ['domain', 'errors', 'contract', 'define', 'client', 'server', 'worker', 'config', 'examples'],
    packages: /^(node:.*|@temporalio\/.*|commander|pino|pino-pretty)$/u,
  },
  {
    name: 'models',
    files: /^src\/testing\/model\//u,
    layers: [],
    packages: /^(node:(crypto|events|timers\/promises)|@ai-sdk\/provider)$/u,
  },
  {
    name: 'testing',
    files: /^src\/testing\/[^/]+$/u,
    layers: ['contract', 'define', 'client', 'server', 'worker', 'converter', 'cli', 'models'],
    packages: /^(node:.*|@temporalio\/(client|worker))$/u,
  },
  {
    name: 'examples',
    files: /^examples\//u,
    layers: ['contract', 'define', 'errors', 'client', 'models'],
    packages: /.*/u,
  },
  { name: 'config', files: /^temporal\.config\.ts$/u, layers: ['define', 'examples'], packages: /.*/u },
];

/** The rooms of the domain, floor by floor from the ground; a room is a folder or a file, and imports only from floors below its own. */
const FLOORS: string[][] = [
  ['state'],
  ['log'],
  ['delivery'],
  ['run'],
  ['view'],
  ['turn'],
  ['carry', 'closing', 'deadlines'],
  ['self'],
  ['advance'],
];

/** The room of a file of the domain, and the floor it is on; -1 for a room that is on none. */
function roomOf(file: string): { room: string; floor: number } {
  const room = /^src\/domain\/([^/.]+)/u.exec(file)?.[1] ?? '';
  return { room, floor: FLOORS.findIndex((rooms) => rooms.includes(room)) };
}

/** The last line of a formatted import or export, an import for its effects only, an import in the midst of code. */
const IMPORT = /^(?:import|export|\}).*\bfrom '([^']+)';$|^import '([^']+)';$|\bimport\('([^']+)'\)/gmu;

/** What workflows/stateless.ts brings to all workflows at once. */
const STATELESS = ['domain', 'contract'];

const layerOf = (file: string): Layer | undefined => LAYERS.find((layer) => layer.files.test(file));
const problems: string[] = [];
for (const file of globSync('{src,workflows,activities,examples}/**/*.ts').concat('temporal.config.ts')) {
  const layer = layerOf(file);
  if (layer === undefined) {
    problems.push(`${file} belongs to no layer.`);
    continue;
  }
  const code = readFileSync(file, 'utf8');
  if (STATELESS.includes(layer.name) && /^(?:export )?(?:let|var) /mu.test(code))
    problems.push(`${file} holds a state of its own, and is evaluated once for all workflows.`);
  for (const [, from, bare, dynamic] of code.matchAll(IMPORT)) {
    const specifier = from ?? bare ?? dynamic ?? '';
    if (!specifier.startsWith('.')) {
      if (!layer.packages.test(specifier)) problems.push(`${file} (${layer.name}) imports the package ${specifier}.`);
      continue;
    }
    const imported = normalize(join(dirname(file), specifier));
    const target = layerOf(imported);
    if (target === undefined) problems.push(`${file} imports ${specifier}, which belongs to no layer.`);
    else if (target !== layer && !layer.layers.includes(target.name))
      problems.push(`${file} (${layer.name}) imports ${specifier} (${target.name}).`);
    else if (target === layer && layer.name === 'domain') {
      const [from, to] = [roomOf(file), roomOf(imported)];
      if (from.floor < 0) problems.push(`${file} is in a room of the domain that is on no floor.`);
      else if (from.room !== to.room && to.floor >= from.floor)
        problems.push(`${file} (${from.room}) imports ${specifier} (${to.room}), which is not below it.`);
    }
  }
}
for (const problem of problems) console.error(problem);
console.log(
  problems.length === 0
    ? `${LAYERS.length} layers and ${FLOORS.length} floors, all arrows point one way.`
    : `${problems.length} imports point the wrong way.`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
