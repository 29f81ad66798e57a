/** The agents, tasks and tools that a worker serves, by name, and what workflows are told of a name. */
import type { AgentDefinition, Config, TaskDefinition, ToolDefinition } from '../src/define.ts';
import { DEFAULT_TASK_QUEUE } from '../src/contract.ts';
import { hashHex } from '../src/domain/state/ids.ts';
import type { NameFacts } from '../src/domain/state/types.ts';

/** Digits of the hash of names. */
const HASH_DIGITS = 12;

export class Registry {
  readonly agents = new Map<string, AgentDefinition>();
  readonly tasks = new Map<string, TaskDefinition>();
  readonly handlers: NonNullable<Config['handlers']>;
  readonly workflows: NonNullable<Config['workflows']>;
  readonly runHooks: Pick<Config, 'onRunStart' | 'onRunFinish'>;
  readonly names: readonly string[];
  /** Of its workflows; the others are named after it. */
  readonly taskQueue: string;
  /** At the end of its pollers' identity: a hash of all names that it knows. */
  readonly announced: string;
  readonly secrets: readonly string[];
  private readonly first: string;

  constructor(config: Config) {
    for (const agent of config.agents) this.agents.set(agent.name, agent);
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
      ...config.agents.flatMap(({ name, tools = [] }) => tools.map((tool) => `${name} ${tool.name}`)),
    ];
    this.announced = `names:${hashHex(JSON.stringify(known.toSorted()), HASH_DIGITS)}`;
    this.secrets = (config.secrets ?? []).map((name) => process.env[name] ?? '').filter((value) => value !== '');
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
    const hooks = (['onRunStart', 'onRunFinish'] as const).filter((hook) => this.runHooks[hook] !== undefined);
    return run === null || hooks.length === 0 ? run : { ...run, hooks };
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

  tool(agent: string, tool: string): ToolDefinition | undefined {
    return this.agents.get(agent)?.tools?.find((one) => one.name === tool);
  }

  /** A text in which every configured secret is replaced; longest first, so that none is left in parts. */
  redact(text: string): string {
    return this.secrets
      .toSorted((a, b) => b.length - a.length)
      .reduce((clean, secret) => clean.replaceAll(secret, '[secret]'), text);
  }

  /** The same for every text in a value; the names of fields stay. */
  redactJson<T>(value: T): T {
    if (this.secrets.length === 0) return value;
    return JSON.parse(JSON.stringify(value), (_name, inner: unknown) =>
      typeof inner === 'string' ? this.redact(inner) : inner,
    ) as T;
  }
}
