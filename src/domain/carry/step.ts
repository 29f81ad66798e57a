/** The step under way in its carried form: a call that has no answer yet has its input once, not in its part too. */
import { canonical } from '../state/json.ts';
import type { ActiveTurn } from '../state/turn.ts';
import type { Json, MessagePart } from '../state/types.ts';
import { isOpen } from '../turn/step-size.ts';

export function packStep(turn: ActiveTurn): ActiveTurn {
  return {
    ...turn,
    parts: turn.parts.map((part) => {
      const { input, ...rest } = part;
      return isOpen(part) && canonical(inputOf(turn, part)) === canonical(input) ? rest : part;
    }),
  };
}

export function unpackStep(turn: ActiveTurn): ActiveTurn {
  return {
    ...turn,
    parts: turn.parts.map((part) => {
      const input = part['input'] === undefined && isOpen(part) ? inputOf(turn, part) : undefined;
      return input === undefined ? part : { ...part, input };
    }),
  };
}

function inputOf(turn: ActiveTurn, part: MessagePart): Json | undefined {
  return turn.calls.find((call) => call.toolCallId === part['toolCallId'])?.input;
}
