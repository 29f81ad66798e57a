/**
 * What an app writes: agents, tasks, tools and the one configuration that a worker registers them from.
 * These functions check what they are given when the module loads and return it, frozen.
 */
import type { LanguageModelV2, LanguageModelV3, LanguageModelV4 } from '@ai-sdk/provider';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { DataConverter } from '@temporalio/common';
import type { OutliveClient } from './client/index.ts';
import type { Json, Limits, Row, Served } from './contract.ts';
import { checkAgent, checkConfig, checkTask, checkTool } from './definitions.ts';
import { isObject } from './schemas/shapes.ts';

/** A schema of any library that speaks Standard Schema: zod, valibot, arktype and others. */
export type Schema<T> = StandardSchemaV1<unknown, T>;

/** What a task reports while it works. Every field optional; the latest report wins. */
export interface ProgressReport {
  /** 0 to 1. */
  fraction?: number;
  /** The part of the work that is going on, e.g. `"ingest"`. */
  phase?: string;
  message?: string;
  /** Plain JSON, at most 8 KiB with the rest. */
  data?: Json;
  /** What a retry continues from; replaces the last one. Plain JSON, at most 8 KiB. Left out: the last one stays. */
  checkpoint?: Json;
}

/** What a task's `run` is given beside its input. */
export interface TaskContext {
  readonly runId: string;
  readonly workflowId: string;
  /** Workflow id of the root session. */
  readonly sessionId: string;
  /** Counts from 1; grows with each retry, also after the loss of a worker. */
  readonly attempt: number;
  /** The checkpoint that the last attempt reported, if any. */
  readonly checkpoint: Json | undefined;
  /** Aborted when the run is cancelled or the worker shuts down. */
  readonly signal: AbortSignal;
  /** A client on the worker's own server; it may not wait for a turn of this session (`NestedTurn`). */
  readonly client: OutliveClient;
  /** Reports where the work stands. Costs no history; bursts are coalesced and the last value is never lost. Throws `InvalidInput` on a bad report. */
  progress(report: ProgressReport): void;
  /** Records a named, durable point; resolves when it is durable. Throws `InvalidInput` on a bad name or more than 8 KiB of data. */
  milestone(name: string, data?: Json): Promise<void>;
  /**
   * The messages that are sent to the run, in order, as they come. One counts as read when the next is asked for, or when the task's
   * result is recorded, and is not given to a later attempt. After a `break` it may be iterated again, and goes on with the next one. Throws
   * the reason of `signal` when the run is cancelled or the worker shuts down.
   */
  readonly messages: AsyncIterable<{ messageId: string; message: string }>;
}

export interface TaskDefinition<Input = unknown, Result = unknown> {
  name: string;
  description?: string;
  /** Parses the run's input; a mismatch fails the run without retries. */
  input?: Schema<Input>;
  /** How often a run that throws is tried again. Default 2. Losing the worker never counts. */
  retries?: number;
  run(input: Input, ctx: TaskContext): Promise<Result> | Result;
}

/** What a tool's `execute` is given beside its input. */
export interface ToolContext {
  readonly sessionId: string;
  readonly workflowId: string;
  /** Of a run; none in a session. */
  readonly runId?: string;
  readonly turnId: string;
  readonly toolCallId: string;
  readonly attempt: number;
  /** Aborted when the turn is cancelled or the worker shuts down. */
  readonly signal: AbortSignal;
  /** A client on the worker's own server; it may not wait for a turn of this session (`NestedTurn`). */
  readonly client: OutliveClient;
}

/** What is known of a call before it is made. */
export interface CallContext {
  /** Workflow id of the root session. */
  readonly sessionId: string;
  readonly workflowId: string;
  /** Of a run; none in a session. */
  readonly runId?: string;
  readonly turnId: string;
}

export interface ToolDefinition<Input = unknown, Output = unknown> {
  name: string;
  /** Tells the model when and how to use it. */
  description: string;
  input: Schema<Input>;
  output?: Schema<Output>;
  execute(input: Input, ctx: ToolContext): Promise<Output> | Output;
  /**
   * `true`: a call may be made again, as often as `retries` says and whenever its worker was lost. Default `false`: no call is made twice, whatever
   * `retries` says; when its outcome is unknown the model reads an error result that says so.
   */
  idempotent?: boolean;
  /**
   * `true`: each call is a run of kind `tool`. The model reads `{ runId, status }` at once; what the call comes to is delivered like the outcome of any run, and an
   * `approval` is the run's own request, so that the turn waits for nobody. Default `false`.
   */
  detached?: boolean;
  /** Longest time of one attempt, milliseconds. Default 10 minutes; of a `detached` one none but the run's ceiling. */
  timeoutMs?: number;
  /**
   * `true`, or a function of the input that says so: a person is to approve the call before it is made. It waits, for as long as `budgets.requestTtlMs`,
   * and holds no worker. What throws asks. Default: calls are made at once.
   */
  approval?: true | ((input: Input, ctx: CallContext) => boolean | Promise<boolean>);
  /**
   * Makes an action of each call: calls whose keys are equal, 1 to 256 printable characters, are one, in a session or run, whatever turn asks for them. The first
   * result is given again; another input under the key is a conflict that the model reads. The last 4,000 are remembered; one that threw is forgotten.
   */
  idempotencyKey?: (input: Input, ctx: CallContext) => string | Promise<string>;
  /**
   * How often a call that throws is tried again, unless by an `ApplicationFailure.nonRetryable`. Needs `idempotent: true`. Default 0: the model reads
   * the error.
   */
  retries?: number;
}

/**
 * A tool of the AI SDK, as `tool()`, `dynamicTool()` or the package of a provider makes it. It is taken as it is: called once for each call that the model
 * makes, as none says that it may be called again; what `needsApproval` says holds.
 */
export interface AiTool {
  readonly inputSchema: unknown;
  readonly outputSchema?: unknown;
  /** Left out by tools that the provider runs itself. */
  readonly execute?: (input: any, options: any) => unknown;
  readonly needsApproval?: boolean | ((input: any, options: any) => boolean | PromiseLike<boolean>);
  readonly isProviderExecuted?: boolean;
}

/** Where an MCP server is: at an address, or a command that is started for each call and speaks through its standard streams. */
export type McpServer =
  | { readonly url: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly command: string; readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>> };

/** A language model of the AI SDK, as its providers' packages make them. */
export type LanguageModel = LanguageModelV4 | LanguageModelV3 | LanguageModelV2;

/** For whom instructions are made. */
export interface InstructionsContext {
  /** Workflow id of the root session. */
  readonly sessionId: string;
  /** What the session, or the run, was started with as `metadata`. */
  readonly metadata: Json | undefined;
  /** Of a run; none in a session. */
  readonly runId?: string;
}

export interface AgentDefinition {
  name: string;
  /** Tells a model that may start this agent what it is for. */
  description?: string;
  /** The system prompt, or a function that makes it, called by the worker before each model call. What it throws is a failed attempt of the step. */
  instructions: string | ((context: InstructionsContext) => string | Promise<string>);
  /** A language model of the AI SDK, or `"provider:model"` with the provider `anthropic`, `openai`, `openai-compatible` or `gateway`. */
  model: LanguageModel | string;
  /** Of one model call. Default: what the provider says. */
  maxOutputTokens?: number;
  /** Of the model. Default: what the provider says. */
  temperature?: number;
  /** By provider, handed on as they are: `{ anthropic: { thinking: { type: 'enabled', budgetTokens: 4096 } } }`. */
  providerOptions?: Readonly<Record<string, { readonly [option: string]: Json }>>;
  /** A list of what `defineTool` answers, or an object with the AI SDK's tools, and ours, by their names. */
  tools?: readonly ToolDefinition<any, any>[] | Readonly<Record<string, AiTool | ToolDefinition<any, any>>>;
  /**
   * What a run of this agent is to give as its result, by the runtime's tool `report_result`. One that ends without is asked once more, and has failed then
   * (`ResultMissing`). In a session it has no effect. Default: a run's result is what it last reported, else its last text.
   */
  output?: Schema<unknown>;
  /**
   * MCP servers by names of yours; their tools are `<name>_<tool>`. A worker asks each once which tools it has, and connects to it for each call. What
   * `readOnlyHint` or `idempotentHint` says of a tool is as `idempotent: true`. Needs `@ai-sdk/mcp`. Default none.
   */
  mcp?: Readonly<Record<string, McpServer>>;
  /** Names of the agents and tasks that this agent's model may start. Default none. */
  canStart?: readonly string[];
  limits?: Partial<Limits>;
  /** A model call that produces nothing for so long is aborted and retried, milliseconds. Default 60,000. */
  stallTimeoutMs?: number;
  /** Attempts of one model step. Default 5. */
  maxAttempts?: number;
  /** How much the model reads at most. It is kept, and limits nothing yet. */
  contextTokens?: number;
  /**
   * What the model reads of a call that must not run twice and whose outcome nobody knows, as its worker was lost or it took too long: called
   * instead of a second attempt, in the worker, perhaps more than once. When it throws, the model reads that the outcome is unknown.
   */
  repairInterruptedTool?: (call: InterruptedCall) => Repair | Promise<Repair>;
}

/** A call whose outcome is unknown. */
export interface InterruptedCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: Json;
}

/** What came of it after all, or an error in other words. */
export type Repair = { output: unknown } | { errorText: string };

/** What a handler is told. `key` is its idempotency key: a crash may repeat a call. */
export interface HandlerCall {
  key: string;
  /** Which of the run's delivery slots this is. */
  kind: 'finish' | 'gave-up' | 'milestone';
  /** The run as `getRun` shows it, without its result. */
  run: Row;
  /** Of a completed run, if it is at most 64 KiB; a larger one is read with `run.result()`. */
  result?: Json;
}

/** What a handler is given beside its call. */
export interface HandlerContext {
  /** Aborted when the worker shuts down: the call is made again by another one. */
  readonly signal: AbortSignal;
}

/** Called until it has succeeded once, at most ten times with growing pauses of up to 5 minutes; each call may take a minute. */
export type Handler = (call: HandlerCall, ctx: HandlerContext) => Promise<void> | void;

export interface Config {
  /** Where Temporal is. Left out: the standard Temporal environment configuration. */
  connection?: { address?: string };
  namespace?: string;
  /** Of workflows; `<taskQueue>.models`, `.tools` and `.tasks` are made of it. Default `outlive`. */
  taskQueue?: string;
  /** What a worker of this configuration serves. Default: workflows, models, tools (with handlers) and tasks, all of them. */
  serve?: readonly Served[];
  /**
   * How many a worker takes at once, of each kind by itself. Defaults: 100 model calls, 100 tools and handlers, 100 tasks, 40
   * workflow tasks (at least 2).
   */
  concurrency?: Partial<Record<Served, number>>;
  /** The first one is the agent of sessions that name none. A worker that serves neither workflows nor models may have none. */
  agents: readonly AgentDefinition[];
  tasks?: readonly TaskDefinition<any, any>[];
  /** What `onFinish` of a run may name. */
  handlers?: Readonly<Record<string, Handler>>;
  /** Workflow types that may be runs, as `workflow:<type>`, in any SDK's language; `"*"` allows every type. Task queue: by default that of this worker. */
  workflows?: Readonly<Record<string, { taskQueue: string }>>;
  /** Told of every run that is started, with the key `run-start:<workflowId>`. */
  onRunStart?: (call: { key: string; run: Row }, ctx: HandlerContext) => Promise<void> | void;
  /** Told of every run that has settled, with the key `run-finish:<workflowId>`. */
  onRunFinish?: (call: { key: string; run: Row; result?: Json }, ctx: HandlerContext) => Promise<void> | void;
  /**
   * Codecs that everything an app says goes through before it reaches Temporal, for example to encrypt it. Clients need the same: `new
   * Client({ dataConverter: config.dataConverter })`. A payload that can never be decoded is to be a `ValueError` of `@temporalio/common`.
   */
  dataConverter?: Pick<DataConverter, 'payloadCodecs'>;
  /**
   * Names of environment variables; their values, of at least 8 characters, are replaced by `[secret]` in all that leaves an activity: errors,
   * what tools and tasks answer and report, what the model says. The keys of the providers are so without being named.
   */
  secrets?: readonly string[];
}

/** The definition as it was, frozen, once it is found to be usable. */
function checked<T extends object>(definition: T, check: (definition: T) => void): Readonly<T> {
  // Looked at is the copy, which has nothing of a prototype's; what is no object has no copy.
  const copy = isObject(definition) ? Object.freeze({ ...definition }) : definition;
  check(copy);
  return copy;
}

/**
 * Defines an agent: what takes turns in a session or as a run.
 *
 * @example
 * ```ts
 * const builder = defineAgent({ name: 'builder', instructions: 'Build what is asked for.', model, canStart: ['load_data'] });
 * ```
 * @throws InvalidInput with one sentence when a field is not usable, or is none.
 */
export function defineAgent(agent: AgentDefinition): Readonly<AgentDefinition> {
  return checked(agent, checkAgent);
}

/**
 * Defines a task: a plain function with progress and milestones that runs durably.
 *
 * @example
 * ```ts
 * const count = defineTask({ name: 'count', run: async (input: { to: number }, ctx) => {
 *   for (let i = 0; i < input.to; i++) ctx.progress({ fraction: i / input.to });
 *   return { counted: input.to };
 * } });
 * ```
 * @throws InvalidInput with one sentence when a field is not usable, or is none.
 */
export function defineTask<Input, Result>(
  task: TaskDefinition<Input, Result>,
): Readonly<TaskDefinition<Input, Result>> {
  return checked(task, checkTask);
}

/**
 * Defines a tool that an agent's model may call.
 *
 * @throws InvalidInput with one sentence when a field is not usable, or is none.
 */
export function defineTool<Input, Output>(
  tool: ToolDefinition<Input, Output>,
): Readonly<ToolDefinition<Input, Output>> {
  return checked(tool, checkTool);
}

/**
 * The one configuration of a worker.
 *
 * @throws InvalidInput with one sentence when anything in it is not usable, a name is used twice or `canStart` names nothing that is registered.
 */
export function defineConfig(config: Config): Readonly<Config> {
  return checked(config, checkConfig);
}
