/** The workflow type `session`: a shell with a name of its own that lives for weeks, through continue-as-new. */
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  makeContinueAsNewFunc,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import { SESSION_MEMO, type SessionMemo, type SessionResult } from '../src/contract.ts';
import { unpack, type Carried } from '../src/domain/carry/carry.ts';
import type { Head } from '../src/domain/carry/encode.ts';
import { close, endSession } from '../src/domain/closing.ts';
import { emit } from '../src/domain/log/events.ts';
import { runMessagesRead, runMilestones, runRequest, runSettled, runTokens } from '../src/domain/run/from-runs.ts';
import { requireRules } from '../src/domain/state/rules.ts';
import { settingsOf } from '../src/domain/state/settings.ts';
import { newState, type State } from '../src/domain/state/state.ts';
import { totalOf } from '../src/domain/state/usage.ts';
import { MIB } from '../src/domain/state/sizes.ts';
import { isRefusal } from '../src/domain/state/types.ts';
import { parse, sessionId, sessionInput } from '../src/schemas/index.ts';
import { Shell } from './shell.ts';
import { refusal } from './failures.ts';
import { resolveName } from './names.ts';
import { register } from './register.ts';
import { carriedOf, end, live } from './end.ts';

/**
 * @param input `SessionInput`, optional. Ill-formed it fails the workflow in its first task, naming an unknown agent in its second.
 * @param head with `body` what the execution before this one left; ignored in a first execution.
 */
export async function session(input?: unknown, head?: Head, body?: Uint8Array): Promise<SessionResult> {
  const carried = carriedOf(head, body);
  const continued = carried !== undefined;
  const shell = new Shell(carried === undefined ? begin(input) : unpack(carried));
  register(shell, { runSettled, runMilestones, runRequest, runMessagesRead, runTokens });
  const asked = CancellationScope.current().cancelRequested;
  return shell.scopes.main(async () => {
    if (!continued) await identify(shell);
    shell.open();
    asked.catch(() => shell.dispatch((cx) => close(cx, { turn: 'cancel', runs: 'keep' }, true)));
    const next = await live(shell);
    if (next !== undefined) return continueAsNew(next);
    return end(shell, MIB / 2, () => {
      shell.dispatch(endSession);
      const { closing, spent, lastSeq, runs } = shell.state;
      if (closing?.cancelledInTemporal === true) throw new CancelledFailure('The session was cancelled.');
      return {
        status: 'closed',
        ...(closing?.reason === undefined ? {} : { reason: closing.reason }),
        usage: totalOf(spent),
        lastSeq,
        runs: [...runs.allForgotten, ...runs.all].map(({ runId, status }) => ({ runId, status })),
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
async function identify(shell: Shell): Promise<void> {
  const { state } = shell;
  const { rules, name, facts, known } = await resolveName(state.agent === '' ? undefined : state.agent);
  // Before anything depends on them: what comes before this never changes.
  requireRules(rules);
  state.rules = rules;
  if (facts?.kind !== 'agent') {
    shell.isRefused = true;
    throw ApplicationFailure.nonRetryable(
      `Expected agent to be one of ${known.map((one) => `"${one}"`).join(', ')}, got "${name}".`,
      'UnknownAgent',
    );
  }
  state.agent = name;
  upsertMemo({ [SESSION_MEMO]: memoOf(state) });
  shell.dispatch((cx) => emit(cx, 'session.started', { agent: name }));
}

/** The memo goes on by itself only as it stood at the start. */
async function continueAsNew({ head, body }: Carried): Promise<never> {
  const memo = workflowInfo().memo;
  return makeContinueAsNewFunc<typeof session>(memo === undefined ? {} : { memo })(undefined, head, body);
}

function memoOf({ epoch, createdAt, agent, title }: State): SessionMemo {
  return { v: 1, epoch, createdAt, agent, ...(title === undefined ? {} : { title }) };
}
