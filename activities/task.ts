/**
 * A task in the place of a run's turns. Its heartbeat carries the latest progress, the checkpoint and how often it threw; the
 * server keeps the last one and hands it to the next attempt, so losing the worker loses nothing and uses up no retry.
 */
import { activityInfo, type ApplicationFailure, CancelledFailure, Context, log } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import {
  NAME_PATTERN,
  type Json,
  type Progress,
  type TaskArg,
  type TaskDone,
  type TaskHeartbeat,
} from '../src/contract.ts';
import type { ProgressReport, TaskContext } from '../src/define.ts';
import { waitForWorker } from '../src/domain/state/backoff.ts';
import { jsonBytes } from '../src/domain/state/json.ts';
import { SMALL_BYTES, TEXT_CHARS, WHOLE_RESULT_BYTES } from '../src/domain/state/sizes.ts';
import { InvalidInput } from '../src/errors.ts';
import { OutliveClient } from '../src/client/index.ts';
import { insideOf } from '../src/nested.ts';
import { echo } from '../src/schemas/index.ts';
import { isObject } from '../src/schemas/shapes.ts';
import { handedBack, isFinal, isShutdown, outgoing } from './failure.ts';
import { fitting } from './fit.ts';
import { withHeartbeat } from './heartbeat.ts';
import { openInbox, type Inbox } from './messages.ts';
import type { Registry } from './registry.ts';
import { unknownName } from './unknown-name.ts';
import { ownSignal } from './signal.ts';
import { plain } from './tool.ts';

export async function runTask(registry: Registry, client: Client, arg: TaskArg): Promise<TaskDone> {
  const definition = registry.tasks.get(arg.task);
  const { heartbeatDetails, attempt } = activityInfo();
  const before = heartbeatDetails as TaskHeartbeat | undefined;
  if (definition === undefined) throw await notKnown(registry, client, arg, before);
  const beat: TaskHeartbeat = {
    errors: before?.errors ?? 0,
    attempt,
    losses: lossesBefore(attempt, before),
    ...(before?.progress === undefined ? {} : { progress: before.progress }),
    ...checkpointOf(before?.checkpoint ?? arg.checkpoint),
  };
  if (beat.losses >= arg.maxLosses) {
    const sentence = `The task "${arg.task}" took ${beat.losses} workers with it, one after another without progress between, and is not tried again (limits.maxLosses).`;
    log.warn(sentence, { runId: arg.runId });
    throw outgoing(registry, new Error(sentence), { type: 'WorkerLost', nonRetryable: true, details: detailsOf(beat) });
  }
  if (beat.losses > 0)
    log.warn(`The task "${arg.task}" is tried again after it has lost ${beat.losses} workers.`, {
      runId: arg.runId,
      attempt,
    });
  const signal = ownSignal();
  try {
    return await withHeartbeat(
      () => beat,
      async () => {
        const input: unknown = definition.input === undefined ? arg.input : await fitting(definition.input, arg.input);
        const inbox = openInbox(client, arg.workflowId, signal);
        const context = contextOf(registry, client, arg, beat, attempt, inbox);
        const made: unknown = await insideOf(arg.sessionId, async () => definition.run(input, context));
        const result = registry.clean(plain(made, `the result of task ${arg.task}`, WHOLE_RESULT_BYTES));
        // Told with the result and not before it: should the result not arrive, the next attempt has the message to read again.
        const { handedOut } = inbox;
        return { v: 1, result, ...progressOf(beat), ...(handedOut > 0 ? { read: handedOut } : {}) };
      },
      { name: `task ${arg.task}` },
    );
  } catch (error) {
    const details = detailsOf(beat);
    beat.ended = true;
    if (isShutdown(signal)) {
      Context.current().heartbeat(beat);
      throw handedBack();
    }
    if (signal.aborted) throw new CancelledFailure('The task was cancelled.', [details]);
    const nonRetryable = isFinal(error) || beat.errors >= arg.retries;
    beat.errors += 1;
    Context.current().heartbeat(beat);
    throw outgoing(registry, error, { nonRetryable, details });
  }
}

/** This worker does not have the task: nothing was tried, so that nothing is counted but how long nobody has had it. */
async function notKnown(
  registry: Registry,
  client: Client,
  { task }: TaskArg,
  before: TaskHeartbeat | undefined,
): Promise<ApplicationFailure> {
  const { attempt } = activityInfo();
  const sentence = `Expected agent to name a registered task, got "${task}".`;
  const unknownSince = before?.unknownSince ?? Date.now();
  const details = before === undefined ? undefined : detailsOf(before);
  if (waitForWorker(unknownSince, Date.now()) === undefined)
    return outgoing(registry, new Error(sentence), { type: 'UnknownAgent', nonRetryable: true, details });
  Context.current().heartbeat({
    errors: 0,
    ...before,
    attempt,
    losses: lossesBefore(attempt, before),
    ended: true,
    unknownSince,
  } satisfies TaskHeartbeat);
  return unknownName(registry, client, 'UnknownAgent', sentence, details);
}

/** Workers lost in a row until this attempt: an attempt that has said nothing of its end, or nothing at all, has lost its worker. */
function lossesBefore(attempt: number, before: Partial<TaskHeartbeat> | undefined): number {
  if (before === undefined) return attempt - 1;
  // An operator's reset counts attempts anew.
  const since = Math.max(0, attempt - (before.attempt ?? attempt - 1) - 1);
  if (before.unknownSince !== undefined) return since + (before.losses ?? 0);
  if (before.ended === true) return since;
  return since + 1 + (before.moved === true ? 0 : (before.losses ?? 0));
}

function progressOf({ progress }: TaskHeartbeat): { progress?: Progress } {
  return progress === undefined ? {} : { progress };
}

function checkpointOf(checkpoint: Json | undefined): { checkpoint?: Json } {
  return checkpoint === undefined ? {} : { checkpoint };
}

/** What an attempt leaves to the workflow. */
function detailsOf(beat: TaskHeartbeat): object {
  return { ...progressOf(beat), ...checkpointOf(beat.checkpoint) };
}

function contextOf(
  registry: Registry,
  client: Client,
  arg: TaskArg,
  beat: TaskHeartbeat,
  attempt: number,
  { messages }: Inbox,
): TaskContext {
  const context = Context.current();
  const { runId, workflowId, sessionId } = arg;
  let n = Math.max(beat.progress?.n ?? 0, arg.n);
  return {
    runId,
    workflowId,
    sessionId,
    attempt,
    checkpoint: beat.checkpoint,
    signal: ownSignal(),
    client: new OutliveClient(client, { taskQueue: registry.taskQueue }),
    progress(report: ProgressReport): void {
      const snapshot = registry.clean(snapshotOf(report, n + 1));
      const { checkpoint: given } = report;
      const checkpoint = given === undefined ? undefined : registry.clean(small(given, 'checkpoint'));
      n += 1;
      beat.progress = snapshot;
      beat.moved = true;
      if (checkpoint !== undefined) beat.checkpoint = checkpoint;
      context.heartbeat(beat);
    },
    async milestone(name: string, data?: Json): Promise<void> {
      if (typeof name !== 'string' || !NAME_PATTERN.test(name))
        throw new InvalidInput(`Expected the name of a milestone to match ${NAME_PATTERN.source}, got ${echo(name)}.`);
      const plainData = data === undefined ? undefined : registry.clean(small(data, 'the data of a milestone'));
      await client.workflow.getHandle(workflowId).signal('taskMilestone', {
        name,
        ...(plainData === undefined ? {} : { data: plainData }),
        ...(beat.progress === undefined ? {} : { progress: beat.progress }),
      });
      beat.moved = true;
    },
    messages,
  };
}

/** What a task reports beside its result; what is too large or no JSON is its own mistake, which a retry may not make again. */
function small(value: unknown, what: string): Json {
  try {
    return plain(value, what, SMALL_BYTES);
  } catch (error) {
    throw new InvalidInput(error instanceof Error ? error.message : String(error));
  }
}

function snapshotOf(report: ProgressReport, n: number): Progress {
  const given: unknown = report;
  if (!isObject(given))
    throw new InvalidInput(
      `Expected progress to be an object with fraction, phase, message, data or checkpoint, got ${given === undefined ? 'nothing' : echo(given)}.`,
    );
  const { fraction, phase, message, data } = report;
  if (fraction !== undefined && !(typeof fraction === 'number' && fraction >= 0 && fraction <= 1))
    throw new InvalidInput(`Expected fraction to be a number of 0 to 1, got ${echo(fraction)}.`);
  for (const [field, value] of [
    ['phase', phase],
    ['message', message],
  ] as const) {
    if (value !== undefined && (typeof value !== 'string' || value.length > TEXT_CHARS))
      throw new InvalidInput(`Expected ${field} to be a text of at most ${TEXT_CHARS} characters, got ${echo(value)}.`);
  }
  const plainData = data === undefined ? undefined : small(data, 'data');
  const snapshot: Progress = {
    ...(fraction === undefined ? {} : { fraction }),
    ...(phase === undefined ? {} : { phase }),
    ...(message === undefined ? {} : { message }),
    ...(plainData === undefined ? {} : { data: plainData }),
    n,
    at: new Date().toISOString(),
  };
  if (jsonBytes(snapshot) > SMALL_BYTES)
    throw new InvalidInput(`Expected progress to be at most ${SMALL_BYTES} bytes of JSON, got ${jsonBytes(snapshot)}.`);
  return snapshot;
}
