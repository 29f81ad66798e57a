/** The workflow type `session`: a conversation with a name of its own that lives for weeks, through continue-as-new. */
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  workflowInfo,
} from '@temporalio/workflow';
import type { SessionResult } from '../src/contract.ts';
import { unpack, type Carried } from '../src/domain/carry/carry.ts';
import { close, endSession } from '../src/domain/closing.ts';
import { emit } from '../src/domain/log/events.ts';
import { runMessagesRead, runMilestones, runRequest, runSettled } from '../src/domain/run/from-runs.ts';
import { settingsOf } from '../src/domain/state/settings.ts';
import { newState, type State } from '../src/domain/state/state.ts';
import { MIB } from '../src/domain/state/sizes.ts';
import { isRefusal } from '../src/domain/state/types.ts';
import { parse, sessionId, sessionInput } from '../src/schemas/index.ts';
import { Conversation } from './conversation.ts';
import { refusal } from './failures.ts';
import { register } from './handlers.ts';
import { end, live } from './life.ts';

/**
 * @param input `SessionInput`, optional. Ill-formed it fails the workflow in its first task, naming an unknown agent in its second.
 * @param carried what the execution before this one left; ignored in a first execution.
 */
export async function session(input?: unknown, carried?: Carried): Promise<SessionResult> {
  const continued = workflowInfo().continuedFromExecutionRunId !== undefined && carried !== undefined;
  const conversation = new Conversation(continued ? unpack(carried) : begin(input));
  register(conversation, { runSettled, runMilestones, runRequest, runMessagesRead });
  const asked = CancellationScope.current().cancelRequested;
  return CancellationScope.nonCancellable(async () => {
    if (!continued) await identify(conversation);
    conversation.open();
    asked.catch(() => conversation.dispatch((cx) => close(cx, { turn: 'cancel', runs: 'keep' }, true)));
    const next = await live(conversation);
    if (next !== undefined) return continueAsNew<typeof session>(undefined, next);
    return end(conversation, MIB / 2, () => {
      conversation.dispatch(endSession);
      const { closing, usage, lastSeq, runs, forgotten } = conversation.state;
      if (closing?.native === true) throw new CancelledFailure('The session was cancelled.');
      return {
        status: 'closed',
        ...(closing?.reason === undefined ? {} : { reason: closing.reason }),
        usage,
        lastSeq,
        runs: [...forgotten, ...runs].map(({ runId, status }) => ({ runId, status })),
      };
    });
  });
}

function begin(input: unknown): State {
  const { workflowId, firstExecutionRunId } = workflowInfo();
  const id = parse(sessionId, workflowId, 'the session id');
  if (isRefusal(id)) throw refusal(id);
  const given = parse(sessionInput(), input);
  if (isRefusal(given)) throw refusal(given);
  const { agent, title, metadata } = given;
  return newState(
    {
      kind: 'session',
      workflowId,
      sessionId: workflowId,
      epoch: firstExecutionRunId,
      depth: 0,
      agent: agent ?? '',
      settings: settingsOf('session', JSON.parse(JSON.stringify(given))),
      ...(title === undefined ? {} : { title }),
      ...(metadata === undefined ? {} : { metadata }),
    },
    Date.now(),
  );
}

/** Which agent takes the turns, asked of the worker once: a later deployment that does not know it fails turns, not the session. */
async function identify(conversation: Conversation): Promise<void> {
  const { state } = conversation;
  const { name, facts, known } = await conversation.resolveAgent(state.agent === '' ? undefined : state.agent);
  if (facts?.kind !== 'agent') {
    throw ApplicationFailure.nonRetryable(
      `Expected agent to be one of ${known.map((one) => `"${one}"`).join(', ')}, got "${name}".`,
      'UnknownAgent',
    );
  }
  state.agent = name;
  conversation.dispatch((cx) => emit(cx, 'session.started', { agent: name }));
}
