/**
 * Actions: calls of a tool that says by a key which of them are the same. One is done once in a session or run, whatever turn asks for it: the
 * first result is given again, another input under its key is a conflict, and what has perhaps been done is not done again.
 */
import { entryKey, payloadHash, recall, remember, rememberEnd } from '../log/dedupe.ts';
import { echo } from '../log/refusals.ts';
import { jsonBytes, previewOf } from '../state/json.ts';
import { ACTION_BYTES, PREVIEW_BYTES } from '../state/sizes.ts';
import type { State } from '../state/state.ts';
import type { ActiveTurn, ToolCall } from '../state/turn.ts';
import type { Json } from '../state/types.ts';
import type { CallAnswer } from './waits.ts';

export const UNKNOWN_ACTION =
  'The outcome of this action is unknown: it was begun before, and it must not be done twice. Find out what became of it before you do anything else about it.';

const FORGOTTEN = 'This was done before; its result is no longer kept.';

type Asked = Pick<ToolCall, 'toolCallId' | 'toolName' | 'input'>;

/** Where an action is remembered. */
export function actionEntry({ toolName }: Pick<ToolCall, 'toolName'>, key: string): string {
  return entryKey('action', `${toolName}\n${key}`);
}

/**
 * What a call comes to that has been asked for before: its answer, or the call of this step that is being made. Nothing when it is new: it is
 * remembered then.
 */
export function knownAction(
  state: State,
  turn: ActiveTurn,
  call: Asked,
  key: string,
): CallAnswer | { sameAs: string } | undefined {
  const entry = actionEntry(call, key);
  const payload = payloadHash(call.input);
  const found = recall(state.dedupe, entry);
  if (found === undefined) {
    remember(state.dedupe, entry, payload, call.toolCallId);
    return undefined;
  }
  if (found.payload !== payload)
    return {
      errorText: `IdempotencyConflict: Expected the input of ${call.toolName} under the key "${echo(key)}" to be the same as before, got another.`,
    };
  if (found.status === 'completed') return { output: state.actions?.[entry] ?? { note: FORGOTTEN } };
  const isBeingMade = turn.calls.some(({ toolCallId }) => toolCallId === found.id);
  return found.status === undefined && isBeingMade ? { sameAs: found.id } : { errorText: UNKNOWN_ACTION };
}

/** The call of an action has its answer: it was done, was not, or nobody knows. */
export function actionAnswered(state: State, { action }: ToolCall, outcome: CallAnswer): void {
  if (action === undefined) return;
  if ('output' in outcome) {
    rememberEnd(state.dedupe, action, 'completed');
    keep(state, action, outcome.output);
  } else if (outcome.isUnknown === true) rememberEnd(state.dedupe, action, 'unknown');
  else delete state.dedupe[action];
}

/** The newest results are kept whole, as many as there is room for, and previews of the others. */
function keep(state: State, entry: string, output: Json): void {
  const actions = (state.actions ??= {});
  actions[entry] = output;
  let bytes = 0;
  for (const one of Object.keys(actions).toReversed()) {
    if (!Object.hasOwn(state.dedupe, one)) {
      delete actions[one];
      continue;
    }
    bytes += jsonBytes(actions[one]);
    if (bytes > ACTION_BYTES) shorten(actions, one);
  }
}

function shorten(actions: Record<string, Json>, entry: string): void {
  const output = actions[entry];
  if (output !== undefined && jsonBytes(output) > PREVIEW_BYTES)
    actions[entry] = { preview: previewOf(output, PREVIEW_BYTES / 2), note: FORGOTTEN };
}

/** Leaves previews, or nothing, of what actions came to: that they were done is remembered all the same. */
export function shedActions(state: State, how: 'previews' | 'nothing'): void {
  if (state.actions === undefined) return;
  if (how === 'nothing') delete state.actions;
  else for (const entry of Object.keys(state.actions)) shorten(state.actions, entry);
}
