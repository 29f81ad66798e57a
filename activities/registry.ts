/** The agents, tasks and tools that a worker serves, by name, and what workflows are told of a name. */
import type { AgentDefinition, Config, TaskDefinition } from '../src/define.ts';
import { DEFAULT_TASK_QUEUE } from '../src/contract.ts';
import { hashHex } from '../src/domain/state/ids.ts';
import type { NameFacts } from '../src/domain/state/types.ts';
import { InvalidInput } from '../src/errors.ts';
import { toolsOf, type AgentTool } from './agent-tools.ts';
import { McpTools } from './mcp.ts';
import { KEY_VARIABLES } from '../src/model-names.ts';

/** Digits of the hash of names. */
const HASH_DIGITS = 12;

/** Characters. */
const LEAST_SECRET = 8;

export class Registry {
  readonly agents = new Map<string, AgentDefinition>();
  private readonly toolsByAgent = new Map<string, ReadonlyMap<string, AgentTool>>();
  private readonly mcpByAgent = new Map<string, McpTools>();
  readonly tasks = new Map<string, TaskDefinition>();
  readonly handlers: NonNullable<Config['handlers']>;
  readonly workflows: NonNullable<Config['workflows']>;
  readonly runHooks: Pick<Config, 'onRunStart' | 'onRunFinish'>;
  readonly names: readonly string[];
  /** Of its workflows; the others are named after it. */
  readonly taskQueue: string;
  /** At the end of its pollers' identity: a hash of all names that it knows. */
  readonly announced: string;
  /** The environment variables whose values nobody is to read: those that the configuration names, and every provider's key. */
  private readonly secrets: readonly string[];
  private readonly first: string;

  constructor(config: Config) {
    for (const agent of config.agents) {
      this.agents.set(agent.name, agent);
      this.toolsByAgent.set(agent.name, toolsOf(agent));
      this.mcpByAgent.set(agent.name, new McpTools(agent));
    }
    for (const task of config.tasks ?? []) this.tasks.set(task.name, task);
    this.taskQueue = config.taskQueue ?? DEFAULT_TASK_QUEUE;
    this.handlers = config.handlers ?? {};
    this.workflows = config.workflows ?? {};
    this.runHooks = {
      ...(config.onRunStart === undefined ? {} : { onRunStart: config.onRunStart }),
      ...(config.onRunFinish === undefined ? {} : { onRunFinish: config.onRunFinish }),
    };
    this.names = [
      ...this.agents.keys(),
      ...this.tasks.keys(),
      ...Object.keys(this.workflows).map((type) => `workflow:${type}`),
      ...Object.keys(this.handlers).map((name) => `handler:${name}`),
    ];
    const known = [
      ...this.names,
      ...Object.keys(this.runHooks),
      ...config.agents.flatMap(({ name, mcp = {} }) =>
        [...this.tools(name).keys(), ...Object.keys(mcp)].map((tool) => `${name} ${tool}`),
      ),
    ];
    this.announced = `names:${hashHex(JSON.stringify(known.toSorted()), HASH_DIGITS)}`;
    for (const name of config.secrets ?? []) longEnough(name);
    this.secrets = [...new Set([...(config.secrets ?? []), ...KEY_VARIABLES])];
    this.first = config.agents[0]?.name ?? '';
  }

  /** What a name stands for, if it is known; without a name the agent of sessions that name none. */
  resolve(name: string = this.first): { name: string; facts?: NameFacts; known: string[] } {
    const facts = this.facts(name);
    return { name, ...(facts === null ? {} : { facts }), known: [...this.agents.keys()] };
  }

  facts(name: string): NameFacts | null {
    if (name.startsWith('handler:'))
      return Object.hasOwn(this.handlers, name.slice('handler:'.length)) ? { kind: 'handler' } : null;
    const run = this.runFacts(name);
    const { hooks } = this;
    return run === null || hooks.length === 0 ? run : { ...run, hooks };
  }

  /** What its configuration wants to be told of every run. */
  get hooks(): readonly ('onRunStart' | 'onRunFinish')[] {
    return (['onRunStart', 'onRunFinish'] as const).filter((hook) => this.runHooks[hook] !== undefined);
  }

  private runFacts(name: string): NameFacts | null {
    const agent = this.agents.get(name);
    if (agent !== undefined) return { kind: 'agent', ...(agent.limits === undefined ? {} : { limits: agent.limits }) };
    const task = this.tasks.get(name);
    if (task !== undefined)
      return { kind: 'task', retries: task.retries ?? 2, ...(task.input === undefined ? {} : { hasSchema: true }) };
    if (!name.startsWith('workflow:')) return null;
    const type = name.slice('workflow:'.length);
    const served = Object.hasOwn(this.workflows, type) ? this.workflows[type] : this.workflows['*'];
    return served === undefined ? null : { kind: 'workflow', taskQueue: served.taskQueue };
  }

  tools(agent: string): ReadonlyMap<string, AgentTool> {
    return this.toolsByAgent.get(agent) ?? new Map();
  }

  /** Those of its MCP servers that answer too. */
  async allTools(agent: string): Promise<ReadonlyMap<string, AgentTool>> {
    const served = (await this.mcpByAgent.get(agent)?.all()) ?? [];
    return new Map([...served.map((tool) => [tool.name, tool] as const), ...this.tools(agent)]);
  }

  /** @throws Error with one sentence when it is one of an MCP server that does not answer. */
  async tool(agent: string, tool: string): Promise<AgentTool | undefined> {
    return this.tools(agent).get(tool) ?? this.mcpByAgent.get(agent)?.find(tool);
  }

  /** A text in which every secret is replaced, also as it stands in JSON; longest first, so that none is left in parts. */
  redact(text: string): string {
    return replaced(
      text,
      this.values().flatMap((value) => [value, inJson(value)]),
    );
  }

  /** The same of every text in a value of JSON. */
  clean<T>(value: T): T {
    const forms = this.values().map(inJson);
    const text = forms.length === 0 ? '' : JSON.stringify(value);
    return forms.some((secret) => text?.includes(secret)) ? (JSON.parse(replaced(text, forms)) as T) : value;
  }

  /** How many characters at the end of a text may yet become a secret, when more of it comes. */
  opening(text: string): number {
    return Math.max(0, ...this.values().flatMap((value) => [openEnd(text, value), openEnd(text, inJson(value))]));
  }

  /** As they are now: a key may be replaced while the worker runs. */
  private values(): string[] {
    return this.secrets.map((name) => process.env[name] ?? '').filter((value) => value.length >= LEAST_SECRET);
  }
}

function inJson(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** How many characters at the end of a text are a beginning of this one. */
function openEnd(text: string, whole: string): number {
  for (let length = Math.min(text.length, whole.length - 1); length > 0; length--)
    if (text.endsWith(whole.slice(0, length))) return length;
  return 0;
}

function replaced(text: string, secrets: readonly string[]): string {
  return secrets
    .toSorted((a, b) => b.length - a.length)
    .reduce((clean, secret) => clean.replaceAll(secret, '[secret]'), text);
}

/** @throws InvalidInput when a secret is so short that replacing it would make texts unreadable, and guessing it easy. */
function longEnough(name: string): void {
  const { length } = process.env[name] ?? '';
  if (length > 0 && length < LEAST_SECRET)
    throw new InvalidInput(
      `Expected the value of ${name} to be at least ${LEAST_SECRET} characters long to be kept secret, got ${length}.`,
    );
}
