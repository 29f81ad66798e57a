/**
 * Ids and keys. They are in every history for ever, so each has one place where it is made.
 *
 * Minted ids carry the epoch (the run id of the session's first execution), so that a session which takes over a closed
 * session's workflow id can never mint an id that the earlier one minted. Ids made from a tool call are a hash of it.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** Names, run ids, turn ids, message ids. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The first `digits` hex digits of a text's SHA-256. */
export function hashHex(text: string, digits: number): string {
  return bytesToHex(sha256(utf8ToBytes(text))).slice(0, digits);
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A text's SHA-256 in as few characters as possible, six bits each: for what is carried by the thousand. */
export function hashShort(text: string, characters: number): string {
  const bytes = sha256(utf8ToBytes(text));
  return Array.from({ length: characters }, (_, i) => {
    const bit = i * 6;
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    return LETTERS[(pair >> (10 - (bit & 7))) & 63];
  }).join('');
}

/**
 * The eight hex digits of an epoch that minted ids carry: the last ones. Temporal's run ids begin with the time, so the first
 * eight are the same for two sessions of one minute.
 */
export function epoch8(epoch: string): string {
  return epoch.slice(-8);
}

export function mintTurnId(epoch: string, n: number): string {
  return `t-${epoch8(epoch)}-${n}`;
}

export function mintMessageId(epoch: string, n: number): string {
  return `m-${epoch8(epoch)}-${n}`;
}

export function mintRunId(epoch: string, n: number): string {
  return `r-${epoch8(epoch)}-${n}`;
}

/** The id of a run that a model starts: the same for every replay, retry and recovery of the same call. `place`: see `turn/calls.ts`. */
export function runIdOfToolCall(epoch: string, turnId: string, step: number, place: string): string {
  return `r-${epoch8(epoch)}-${hashHex(`${turnId}\n${step}\n${place}`, 12)}`;
}

export function workflowIdOfRun(starter: string, runId: string): string {
  return `${starter}/${runId}`;
}

/** The workflow that a `workflow:` run executes. */
export function workflowIdOfTarget(run: string): string {
  return `${run}/workflow`;
}

/** Of the worker's `onRunFinish`. */
export function runFinishKey(workflowIdOfItsRun: string): string {
  return `run-finish:${workflowIdOfItsRun}`;
}

export function finishKey(starter: string, runId: string): string {
  return `bg-task:${starter}:${runId}`;
}

export function gaveUpKey(starter: string, runId: string): string {
  return `bg-task:${starter}:${runId}:gave-up`;
}

export function milestoneKey(starter: string, runId: string, name: string): string {
  return `bg-task:${starter}:${runId}:milestone:${name}`;
}

export function askKey(starter: string, runId: string, n: number): string {
  return `bg-task:${starter}:${runId}:ask:${n}`;
}

/** Of the input by which an agent's run is asked once more for its result. */
export function reminderKey(run: string): string {
  return `report-result:${run}`;
}

/** `n` counts the requests of one workflow id. */
export function mintRequestId(workflowId: string, n: number): string {
  return `${workflowId}#${n}`;
}

/** The workflow that a request is of, and its number there. */
export function partsOfRequestId(requestId: string): { workflowId: string; n: number } {
  const at = requestId.lastIndexOf('#');
  return { workflowId: requestId.slice(0, Math.max(0, at)), n: Number(requestId.slice(at + 1)) };
}

/** The id of a message that a model sends, the same for every retry of its call. */
export function messageIdOfToolCall(epoch: string, turnId: string, step: number, place: string): string {
  return `m-${epoch8(epoch)}-${hashHex(`${turnId}\n${step}\n${place}`, 12)}`;
}

export const RESERVED_RUN_IDS: readonly string[] = ['gave-up', 'milestone', 'ask'];

/** What a session id may not end in, since a slot key of another session would read the same. */
export const RESERVED_SESSION_ENDINGS: readonly string[] = [':milestone', ':ask'];
