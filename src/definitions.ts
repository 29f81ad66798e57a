/**
 * What definitions have to be: the fields of agents, tasks, tools and of the configuration, each said once, and what has to hold between
 * them. Whatever an app defines comes through here, as its module loads and again where a worker is made of it.
 */
import * as v from 'valibot';
import { NAME_PATTERN, SERVED } from './contract.ts';
import type { AgentDefinition, AiTool, Config, TaskDefinition, ToolDefinition } from './define.ts';
import { isRuntimeTool } from './domain/turn/runtime-tools.ts';
import { InvalidInput } from './errors.ts';
import { parseModelName } from './model-names.ts';
import { echo, limits, sentence } from './schemas/index.ts';
import { atLeast, flag, func, isObject, lazily, list, object, optional, string, type Shape } from './schemas/shapes.ts';

type Fields<T> = Record<keyof T, v.GenericSchema>;

const text = string('a text');
const named = string('a name that is not empty', (given) => given !== '');
const record = v.custom<Record<string, unknown>>(isObject, 'an object');
const standardSchema: Shape<unknown> = v.custom(
  (given) => typeof (Object(given) as { '~standard'?: { validate?: unknown } })['~standard']?.validate === 'function',
  'a schema that speaks Standard Schema',
);
const model: Shape<unknown> = v.custom(
  (given) => typeof given === 'string' || typeof (Object(given) as { doStream?: unknown }).doStream === 'function',
  'a language model of the AI SDK or "provider:model"',
);

const texts = v.record(v.string(), v.string());
const mcpServer: Shape<unknown> = v.custom(
  (given) =>
    v.is(v.strictObject({ url: v.pipe(v.string(), v.url()), headers: v.optional(texts) }), given) ||
    v.is(
      v.strictObject({
        command: v.pipe(v.string(), v.minLength(1)),
        args: v.optional(v.array(v.string())),
        env: v.optional(texts),
      }),
      given,
    ),
  '{ url, headers? } or { command, args?, env? }',
);

/** Lists of definitions, whose own fields are looked at one by one. */
function definitions(one: string, by: string, all: string): Shape<object[]> {
  return list(v.custom<object>(isObject, `${one}, as ${by} answers it`), `a list of ${all}`);
}

const agentFields = lazily((): Fields<AgentDefinition> => ({
  name: v.unknown(),
  description: optional(text),
  instructions: v.custom((given) => ['string', 'function'].includes(typeof given), 'a text or a function'),
  model,
  maxOutputTokens: optional(atLeast(1)),
  temperature: optional(
    v.custom<number>((given) => Number.isFinite(given) && (given as number) >= 0, 'a number of at least 0'),
  ),
  providerOptions: optional(
    v.custom<object>(
      (given) => isObject(given) && Object.values(given).every(isObject),
      'an object with an object for each provider',
    ),
  ),
  tools: optional(
    v.union(
      [definitions('a tool', 'defineTool', 'tools'), record],
      'a list of tools, or an object with tools by their names',
    ),
  ),
  output: optional(standardSchema),
  mcp: optional(v.pipe(record, v.record(v.string(), mcpServer))),
  canStart: optional(list(named, 'a list of names')),
  limits: optional(limits()),
  stallTimeoutMs: optional(atLeast(1)),
  maxAttempts: optional(atLeast(1)),
  contextTokens: optional(atLeast(1)),
  repairInterruptedTool: optional(func),
}));

const taskFields = lazily((): Fields<TaskDefinition> => ({
  name: v.unknown(),
  description: optional(text),
  input: optional(standardSchema),
  retries: optional(atLeast(0)),
  run: func,
}));

const toolFields = lazily((): Fields<ToolDefinition> => ({
  name: v.unknown(),
  description: text,
  input: standardSchema,
  output: optional(standardSchema),
  execute: func,
  idempotent: optional(flag),
  timeoutMs: optional(atLeast(1)),
  approval: optional(v.custom((given) => given === true || typeof given === 'function', 'true or a function')),
  idempotencyKey: optional(func),
  detached: optional(flag),
  retries: optional(atLeast(0)),
}));

const configFields = lazily((): Fields<Config> => ({
  connection: optional(object({ address: optional(named) })),
  namespace: optional(named),
  taskQueue: optional(named),
  serve: optional(list(v.unknown(), `a list of ${SERVED.join(', ')}`)),
  concurrency: optional(record),
  agents: definitions('an agent', 'defineAgent', 'agents'),
  tasks: optional(definitions('a task', 'defineTask', 'tasks')),
  handlers: optional(v.pipe(record, v.record(v.string(), func))),
  workflows: optional(record),
  onRunStart: optional(func),
  onRunFinish: optional(func),
  dataConverter: v.unknown(),
  secrets: optional(
    list(
      string('the name of an environment variable', (given) => given !== ''),
      'a list of names',
    ),
  ),
}));

/** Fields of the contract that this version cannot serve: better refused than ignored. */
const UNSUPPORTED = {
  agent: [],
  task: [],
  tool: [],
  config: ['channels', 'deployment', 'telemetry'],
} as const;

/** What every provider takes as the name of a tool. */
const TOOL_NAME = /^[A-Za-z0-9_-]{1,64}$/u;

function problem(words: string): InvalidInput {
  return new InvalidInput(`Expected ${words}.`);
}

/** The fields of one definition, by themselves; `of` is what a sentence names after a field. */
function checkFields(
  definition: Record<string, unknown>,
  fields: Record<string, v.GenericSchema>,
  what: string,
  unsupported: readonly string[],
  of = ` of ${what}`,
): void {
  const given = Object.keys(definition).filter((field) => definition[field] !== undefined);
  const later = unsupported.find((field) => given.includes(field));
  if (later !== undefined) throw problem(`${what} to have no ${later}, which is not supported yet`);
  const names = Object.keys(fields);
  const unknown = given.find((field) => !names.includes(field));
  if (unknown !== undefined)
    throw problem(`the fields of ${what} to be among ${names.join(', ')}, got ${echo(unknown)}`);
  // Each field is there, so that one that is missing is told by what it should be.
  const whole = Object.fromEntries(names.map((name) => [name, definition[name]]));
  const { issues } = v.safeParse(v.object(fields), whole, { abortEarly: true });
  if (issues !== undefined) throw new InvalidInput(sentence(issues[0], whole, what, of));
}

function checkName(kind: string, name: unknown, pattern = NAME_PATTERN): asserts name is string {
  if (typeof name !== 'string' || !pattern.test(name))
    throw problem(`the name of ${kind} to match ${pattern.source}, got ${name === undefined ? 'nothing' : echo(name)}`);
}

function fieldsOf(kind: string, definition: unknown): Record<string, unknown> {
  if (isObject(definition)) return definition;
  throw problem(`${kind} to be an object, got ${definition === undefined ? 'nothing' : echo(definition)}`);
}

function checkDistinct(what: string, all: readonly { name: string }[]): void {
  const twice = all.find(({ name }, n) => all.findIndex((one) => one.name === name) < n);
  if (twice !== undefined) throw problem(`the names of ${what} to differ, got "${twice.name}" twice`);
}

/** @throws InvalidInput with one sentence when an agent, or a tool of it, is not usable. */
export function checkAgent(agent: AgentDefinition): void {
  const fields = fieldsOf('an agent', agent);
  checkName('an agent', fields['name']);
  const what = `agent ${agent.name}`;
  checkFields(fields, agentFields(), what, UNSUPPORTED.agent);
  if (typeof agent.model === 'string') parseModelName(agent.model, `model of ${what}`);
  checkTools(what, agent.tools ?? []);
  for (const name of Object.keys(agent.mcp ?? {})) checkName('an MCP server', name, TOOL_NAME);
}

function checkTools(what: string, tools: NonNullable<AgentDefinition['tools']>): void {
  if (Array.isArray(tools)) {
    for (const tool of tools as ToolDefinition[]) checkTool(tool);
    checkDistinct(`the tools of ${what}`, tools as ToolDefinition[]);
    return;
  }
  for (const [name, tool] of Object.entries(tools as Record<string, unknown>)) {
    if (isObject(tool) && 'input' in tool) {
      checkTool(tool as unknown as ToolDefinition);
      if (tool['name'] !== name) throw problem(`tools.${name} of ${what} to be named so, got ${echo(tool['name'])}`);
    } else checkAiTool(what, name, tool);
  }
}

/** One of the AI SDK's is checked by what we do with it. */
function checkAiTool(what: string, name: string, tool: unknown): void {
  if (!TOOL_NAME.test(name))
    throw problem(`the names of the tools of ${what} to match ${TOOL_NAME.source}, got ${echo(name)}`);
  if (isRuntimeTool(name)) throw problem(`a tool not to be named like one of the runtime, got "${name}"`);
  const { inputSchema, execute, isProviderExecuted } = Object(tool) as Partial<AiTool>;
  if (inputSchema === undefined)
    throw problem(`tools.${name} of ${what} to be a tool of the AI SDK or of defineTool, got ${echo(tool)}`);
  if (typeof execute !== 'function' && isProviderExecuted !== true)
    throw problem(`tools.${name} of ${what} to have execute, as nobody else would call it, got nothing`);
}

/** @throws InvalidInput with one sentence when a task is not usable. */
export function checkTask(task: TaskDefinition<any, any>): void {
  const fields = fieldsOf('a task', task);
  checkName('a task', fields['name']);
  checkFields(fields, taskFields(), `task ${task.name}`, UNSUPPORTED.task);
}

/** @throws InvalidInput with one sentence when a tool is not usable. */
export function checkTool(tool: ToolDefinition<any, any>): void {
  const fields = fieldsOf('a tool', tool);
  checkName('a tool', fields['name'], TOOL_NAME);
  const what = `tool ${tool.name}`;
  if (isRuntimeTool(tool.name)) throw problem(`a tool not to be named like one of the runtime, got "${tool.name}"`);
  checkFields(fields, toolFields(), what, UNSUPPORTED.tool);
  if ((tool.retries ?? 0) > 0 && tool.idempotent !== true)
    throw problem(
      `${what} to be idempotent: true, as it has retries, got ${JSON.stringify(tool.idempotent) ?? 'nothing'}`,
    );
}

/**
 * What a worker can be made of. What `canStart` names may be another worker's.
 *
 * @throws InvalidInput with one sentence when a configuration, or anything in it, is not usable.
 */
export function checkServable(config: Config): void {
  checkFields(fieldsOf('the configuration', config), configFields(), 'the configuration', UNSUPPORTED.config, '');
  checkCodecs(config.dataConverter);
  checkServed(config);
  for (const agent of config.agents) checkAgent(agent);
  for (const task of config.tasks ?? []) checkTask(task);
  for (const name of Object.keys(config.handlers ?? {})) checkName('a handler', name);
  checkDistinct('agents and tasks', [...config.agents, ...(config.tasks ?? [])]);
  checkWorkflows(config);
}

/** @throws InvalidInput with one sentence when a configuration is not usable, or `canStart` names what is not in it. */
export function checkConfig(config: Config): void {
  checkServable(config);
  const { agents, tasks = [], workflows = {} } = config;
  const names = [...agents, ...tasks].map(({ name }) => name).concat(Object.keys(workflows).map(workflowName));
  for (const agent of agents)
    for (const name of agent.canStart ?? [])
      if (!names.includes(name) && !(name.startsWith('workflow:') && Object.hasOwn(workflows, '*')))
        throw problem(`canStart of agent "${agent.name}" to name registered agents or tasks, got "${name}"`);
}

function workflowName(type: string): string {
  return `workflow:${type}`;
}

/** The workflow types that may be runs. */
function checkWorkflows({ workflows = {} }: Config): void {
  for (const [type, given] of Object.entries(workflows)) {
    const { taskQueue } = Object(given) as { taskQueue?: unknown };
    if (typeof taskQueue !== 'string' || taskQueue === '')
      throw problem(
        `taskQueue of workflow type "${type}" to be the name of a task queue, got ${taskQueue === undefined ? 'nothing' : echo(taskQueue)}`,
      );
  }
}

function checkServed({ serve = SERVED, concurrency = {}, agents }: Config): void {
  if (serve.length === 0) throw problem(`serve to name at least one of ${SERVED.join(', ')}, got none`);
  for (const kind of [...serve, ...Object.keys(concurrency)])
    if (!(SERVED as readonly unknown[]).includes(kind))
      throw problem(`serve and concurrency to name ${SERVED.join(', ')}, got ${echo(kind)}`);
  for (const kind of SERVED) {
    const { issues } = v.safeParse(optional(atLeast(kind === 'workflows' ? 2 : 1)), concurrency[kind]);
    if (issues !== undefined)
      throw problem(`concurrency.${kind} to be ${issues[0].message}, got ${echo(concurrency[kind])}`);
  }
  if (agents.length === 0 && (serve.includes('workflows') || serve.includes('models')))
    throw problem('agents to name at least one agent, got none');
}

/** The converters on the inner side are the worker's own. */
function checkCodecs(given: unknown): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null)
    throw problem(`dataConverter to be an object with payloadCodecs, got ${echo(given)}`);
  const { payloadCodecs = [], ...others } = given as { payloadCodecs?: unknown };
  const [other] = Object.keys(others);
  if (other !== undefined) throw problem(`dataConverter to have payloadCodecs only, got ${other}`);
  const isCodec = (one: unknown): boolean =>
    ['encode', 'decode'].every((name) => typeof (Object(one) as Record<string, unknown>)[name] === 'function');
  if (!Array.isArray(payloadCodecs) || !payloadCodecs.every(isCodec))
    throw problem('payloadCodecs to be codecs, each with encode and decode, got something else');
}
