/**
 * A turn as it goes, from any process: what is finished comes from the session, and what its model is just saying from the heartbeat of the
 * model call, which needs no worker to be read. Reading changes nothing and may end and begin anew at any time.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { Json, MessagePart, StreamedPart, TurnStatus, UIMessage } from '../contract.ts';
import type { FollowedTurn } from '../domain/view/follow-turn.ts';
import type { TurnView } from '../domain/view/queries.ts';
import { NoWorker, SessionClosed, Unavailable, UnknownTurn } from '../errors.ts';
import { describe, isOpen, isOurs } from './describe.ts';
import { orFailure, unknownSession } from './failures.ts';
import { modelHeartbeatOf } from './heartbeat.ts';

/**
 * What comes of a turn: its text and reasoning as they are written, its calls and their results. `step` and `attempt` count from 1. A `retry` takes
 * back what came of its step before it: what remains, joined, equals the messages of the turn. The last one is `turn`, as `getTurn` answers it.
 */
export type TurnPart =
  | { type: 'text' | 'reasoning'; step: number; text: string }
  | { type: 'tool-call'; step: number; toolCallId: string; toolName: string; input: Json }
  | { type: 'tool-result'; step: number; toolCallId: string; output: Json }
  | { type: 'tool-result'; step: number; toolCallId: string; errorText: string }
  | { type: 'retry'; step: number; attempt: number }
  | { type: 'turn'; turn: TurnView };

export interface Followed {
  readonly client: Client;
  readonly sessionId: string;
  query<T>(name: string, argument: unknown): Promise<T>;
}

const LOOK_MS = 200;
const LONGEST_LOOK_MS = 2000;

const ENDS: ReadonlySet<TurnStatus> = new Set(['completed', 'failed', 'cancelled', 'skipped']);

/**
 * Ends with the part `turn`, or when `signal` is aborted. An id that is only a key is followed to the turn that it names: input that steered a turn
 * and was not read by it makes a turn of its own, and a `retry` of the first step takes back what was told of the other.
 *
 * @throws UnknownTurn, UnknownSession, SessionClosed when the session is gone.
 */
export async function* followTurn(followed: Followed, turnId: string, signal?: AbortSignal): AsyncGenerator<TurnPart> {
  const { client, sessionId } = followed;
  let named = turnId;
  let step = new FollowedStep(1);
  let read = '';
  let wait = LOOK_MS;
  for (;;) {
    if (signal?.aborted === true) return;
    const description = await orFailure(client, sessionId, async () => describe(client, sessionId));
    if (description === undefined || !isOurs(description)) throw unknownSession(client, sessionId, description);
    const beat = await modelHeartbeatOf(client, description);
    if (beat?.turnId === named && beat.step === step.number) {
      wait = LOOK_MS;
      yield* step.streamed(beat.attempt ?? 1, beat.parts ?? []);
    }
    // Whatever changes a session is in its history.
    const present = `${description.runId} ${description.historyLength} ${description.status.name}`;
    if (present === read) {
      await pause(wait, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      wait = Math.min(wait * 1.5, LONGEST_LOOK_MS);
      continue;
    }
    const view = await unlessNoWorker(
      followed.query<FollowedTurn | null>('followTurn', { turnId, after: step.number - 1 }),
    );
    if (view === undefined) continue;
    if (view === null) throw new UnknownTurn(`Expected turnId to name a turn of "${sessionId}", got "${turnId}".`);
    if (view.turn.turnId !== named) {
      named = view.turn.turnId;
      const { number, isBegun } = step;
      if (number > 1 || isBegun) yield { type: 'retry', step: 1, attempt: 1 };
      step = new FollowedStep(1);
      // It was asked what comes after a step of the other turn.
      if (number > 1) continue;
    }
    for (const { step: number, message } of view.steps) {
      if (number !== step.number) step = new FollowedStep(number);
      yield* step.answered(message);
      step = new FollowedStep(number + 1);
    }
    if (view.hasMore) continue;
    const { underWay, turn } = view;
    if (underWay?.step === step.number) yield* step.underWay(underWay);
    if (ENDS.has(turn.status)) {
      const ended = await unlessNoWorker(followed.query<TurnView | null>('getTurn', { turnId }));
      if (ended === undefined) continue;
      yield { type: 'turn', turn: ended ?? turn };
      return;
    }
    checkOpen(sessionId, description);
    read = present;
    wait = LOOK_MS;
  }
}

/** A worker that is away comes back. */
async function unlessNoWorker<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NoWorker || error instanceof Unavailable) return undefined;
    throw error;
  }
}

function checkOpen(sessionId: string, description: WorkflowExecutionDescription): void {
  if (isOpen(description) || description.status.name === 'CONTINUED_AS_NEW') return;
  throw new SessionClosed(
    `Expected the turn of "${sessionId}" to end, got the end of the session (${description.status.name.toLowerCase()}).`,
  );
}

/** One step: what has been told of it. */
class FollowedStep {
  readonly number: number;
  private attempt = 1;
  private told: StreamedPart[] = [];
  private readonly calls = new Set<string>();
  private readonly results = new Set<string>();

  constructor(number: number) {
    this.number = number;
  }

  /** Something was told of it. */
  get isBegun(): boolean {
    return this.told.length > 0 || this.calls.size > 0;
  }

  /** What its model is just saying. */
  *streamed(attempt: number, parts: readonly StreamedPart[]): Generator<TurnPart> {
    if (attempt < this.attempt) return;
    if (attempt > this.attempt) yield* this.again(attempt);
    yield* this.grown(parts);
  }

  /** What the session knows of it. */
  *underWay({ attempt, message }: NonNullable<FollowedTurn['underWay']>): Generator<TurnPart> {
    if (message !== undefined) yield* this.answered(message);
    else if (attempt > this.attempt) yield* this.again(attempt);
  }

  /** Its model has answered: this is its message, whatever was streamed, in which calls may still be without results. */
  *answered({ parts }: UIMessage): Generator<TurnPart> {
    yield* this.grown(parts);
    for (const part of parts) {
      const { toolCallId } = part;
      if (typeof toolCallId !== 'string' || this.results.has(toolCallId)) continue;
      const outcome = outcomeOf(part);
      if (outcome === undefined) continue;
      this.results.add(toolCallId);
      yield { type: 'tool-result', step: this.number, toolCallId, ...outcome };
    }
  }

  private *again(attempt: number): Generator<TurnPart> {
    this.attempt = attempt;
    if (!this.isBegun) return;
    this.told = [];
    this.calls.clear();
    this.results.clear();
    yield { type: 'retry', step: this.number, attempt };
  }

  private *grown(parts: readonly (MessagePart | StreamedPart)[]): Generator<TurnPart> {
    const texts = textsOf(parts);
    if (!isBeginning(this.told, texts)) yield* this.again(this.attempt + 1);
    let before = this.told.reduce((sum, { text }) => sum + text.length, 0);
    for (const part of parts) {
      if (isText(part)) {
        const text = part.text.slice(before);
        before = Math.max(0, before - part.text.length);
        if (text !== '') yield { type: part.type, step: this.number, text };
      } else yield* this.called(part);
    }
    this.told = texts;
  }

  private *called(part: MessagePart): Generator<TurnPart> {
    const { type, toolCallId, input } = part;
    if (typeof toolCallId !== 'string' || this.calls.has(toolCallId)) return;
    this.calls.add(toolCallId);
    const toolName = type.slice('tool-'.length);
    yield { type: 'tool-call', step: this.number, toolCallId, toolName, input: (input ?? {}) as Json };
  }
}

function outcomeOf(part: MessagePart): { output: Json } | { errorText: string } | undefined {
  if (part['state'] === 'output-available') return { output: (part['output'] ?? null) as Json };
  return part['state'] === 'output-error' ? { errorText: String(part['errorText']) } : undefined;
}

function isText(part: MessagePart | StreamedPart): part is StreamedPart {
  return (part.type === 'text' || part.type === 'reasoning') && typeof part.text === 'string';
}

/** Texts and reasoning without what stands between; neighbours of one kind as one. */
function textsOf(parts: readonly (MessagePart | StreamedPart)[]): StreamedPart[] {
  const texts: StreamedPart[] = [];
  for (const part of parts) {
    if (!isText(part)) continue;
    const last = texts.at(-1);
    if (last?.type === part.type) last.text += part.text;
    else texts.push({ type: part.type, text: part.text });
  }
  return texts;
}

function isBeginning(told: readonly StreamedPart[], texts: readonly StreamedPart[]): boolean {
  return told.every(({ type, text }, i) => {
    const whole = texts[i];
    if (whole?.type !== type) return false;
    return i === told.length - 1 ? whole.text.startsWith(text) : whole.text === text;
  });
}
