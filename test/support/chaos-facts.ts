/** The facts of a round in which all is right, made up: a session with turns, an agent run that asks, tasks that are told of, given up and cut off. */
import type { OutliveEvent } from '../../src/contract.ts';
import type { EventType } from '../../src/domain/state/types.ts';
import type { Facts, Log, SessionFacts } from '../../chaos/oracle/facts.ts';
import { isOwn } from '../../chaos/oracle/runs-of.ts';
import { labelOf } from '../../chaos/script.ts';

type Entry = [type: EventType, about?: Record<string, unknown>];

const USAGE = { inputTokens: 10, outputTokens: 5, totalTokens: 15, modelCalls: 1 };
const NONE = { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 };

function times(n: number): typeof USAGE {
  return { inputTokens: 10 * n, outputTokens: 5 * n, totalTokens: 15 * n, modelCalls: n };
}

function logOf(workflowId: string, entries: Entry[]): Log {
  const [sessionId = '', ...path] = workflowId.split('/');
  const owner = path.at(-1);
  const events = entries.map(([type, about = {}], i): OutliveEvent => {
    const ids = owner === undefined ? {} : about['runId'] === undefined ? { runId: owner } : { parentRunId: owner };
    return { seq: i + 1, at: '2026-01-01T00:00:00.000Z', type, workflowId, sessionId, ...ids, ...about };
  });
  return { workflowId, events, terminated: false };
}

let messages = 0;
const id = (): string => `m-${++messages}`;
const says = (answer: number, ...calls: object[]): object => ({
  message: { id: id(), role: 'assistant', parts: [{ type: 'text', text: `#${answer} done` }, ...calls] },
});
const call = (name: string, toolCallId: string, output: object): object => ({
  type: `tool-${name}`,
  toolCallId,
  state: 'output-available',
  output,
});
const user = (text: string): object => ({ message: { id: id(), role: 'user', parts: [{ type: 'text', text }] } });
const framed = (
  key: string,
  runId: string,
  more: { kind: string; agent: string; role?: string; text?: string },
): Record<string, unknown> => ({
  message: {
    id: id(),
    role: more.role ?? 'user',
    parts: [{ type: 'text', text: more.text ?? '' }],
    metadata: { source: 'background-run', key, runId, kind: more.kind, agent: more.agent },
  },
});
const background = (key: string): Record<string, unknown> => ({ inputs: [{ source: 'background-run', key }] });

function session(): SessionFacts {
  const [finish, late, gaveUp, milestone] = [
    'bg-task:s:asks',
    'bg-task:s:late',
    'bg-task:s:late:gave-up',
    'bg-task:s:tells:milestone:half',
  ];
  const logs = [
    logOf('s', [
      ['session.started'],
      ['turn.queued', { turnId: 't1', inputs: [{ source: 'user', key: 'k1' }] }],
      ['turn.started', { turnId: 't1', inputs: [{ source: 'user', key: 'k1' }] }],
      ['message.added', { turnId: 't1', ...user('go') }],
      ['run.queued', { runId: 'asks', agent: 'helper', label: '{}' }],
      ['run.started', { runId: 'asks', agent: 'helper' }],
      [
        'message.added',
        { turnId: 't1', ...says(1, call('start_run', 'c1', { runId: 'asks' }), call('charge', 'c2', { attempt: 1 })) },
      ],
      ['message.added', { turnId: 't1', ...says(2) }],
      ['turn.completed', { turnId: 't1', inputs: [], usage: times(2) }],
      ['run.input_required', { runId: 'asks', agent: 'helper' }],
      ['run.resumed', { runId: 'asks', agent: 'helper' }],
      ['run.settled', { runId: 'asks', agent: 'helper', status: 'completed', usage: USAGE }],
      ['turn.queued', { turnId: 't2', ...background(finish) }],
      ['turn.started', { turnId: 't2', ...background(finish) }],
      ['message.added', { turnId: 't2', ...framed(finish, 'asks', { kind: 'finish', agent: 'helper' }) }],
      ['run.delivered', { runId: 'asks', key: finish, kind: 'finish', turnId: 't2', agent: 'helper' }],
      ['message.added', { turnId: 't2', ...says(4) }],
      ['turn.completed', { turnId: 't2', inputs: [], usage: USAGE }],
      [
        'run.queued',
        { runId: 'tells', agent: 'work', label: labelOf({ notify: 'narrate', units: 2, watch: ['half'] }) },
      ],
      ['run.started', { runId: 'tells', agent: 'work' }],
      ['message.sent', { runId: 'tells', messageId: 'w1', message: 'go on' }],
      ['run.milestone', { runId: 'tells', n: 1, name: 'half' }],
      ['message.added', framed(milestone, 'tells', { kind: 'milestone', agent: 'work', role: 'assistant' })],
      ['run.delivered', { runId: 'tells', key: milestone, kind: 'milestone', agent: 'work' }],
      ['run.settled', { runId: 'tells', agent: 'work', status: 'completed', usage: NONE }],
      [
        'message.added',
        framed('bg-task:s:tells', 'tells', { kind: 'finish', agent: 'work', role: 'assistant', text: '{"attempt":2}' }),
      ],
      ['run.delivered', { runId: 'tells', key: 'bg-task:s:tells', kind: 'finish', agent: 'work' }],
      ['run.queued', { runId: 'late', agent: 'work', label: labelOf({ notify: 'react' }) }],
      ['run.started', { runId: 'late', agent: 'work' }],
      ['run.gave_up', { runId: 'late', agent: 'work', status: 'interrupted', reason: 'budget_exceeded' }],
      ['turn.queued', { turnId: 't3', ...background(gaveUp) }],
      ['run.settled', { runId: 'late', agent: 'work', status: 'completed', usage: NONE }],
      ['turn.joined', { turnId: 't3', ...background(late) }],
      ['turn.started', { turnId: 't3', inputs: [] }],
      ['message.added', { turnId: 't3', ...framed(gaveUp, 'late', { kind: 'gave-up', agent: 'work' }) }],
      ['run.delivered', { runId: 'late', key: gaveUp, kind: 'gave-up', turnId: 't3', agent: 'work' }],
      ['message.added', { turnId: 't3', ...framed(late, 'late', { kind: 'finish', agent: 'work' }) }],
      ['run.delivered', { runId: 'late', key: late, kind: 'finish', turnId: 't3', agent: 'work' }],
      ['message.added', { turnId: 't3', ...says(5) }],
      ['turn.completed', { turnId: 't3', inputs: [], usage: USAGE }],
      ['run.queued', { runId: 'cut', agent: 'work', label: labelOf({ notify: 'silent' }) }],
      ['run.started', { runId: 'cut', agent: 'work' }],
      ['run.gave_up', { runId: 'cut', agent: 'work', status: 'interrupted', reason: 'budget_exceeded' }],
      ['run.cancel_requested', { runId: 'cut', agent: 'work', reason: 'cancelled_by_budget' }],
      ['run.settled', { runId: 'cut', agent: 'work', status: 'cancelled', reason: 'cancelled_by_budget', usage: NONE }],
      ['input.refused', { name: 'runSettled', message: 'Expected epoch to be another.' }],
      ['session.closed', { usage: times(5) }],
    ]),
    logOf('s/asks', [
      ['turn.queued', { turnId: 't1', inputs: [{ source: 'user' }] }],
      ['turn.started', { turnId: 't1', inputs: [{ source: 'user' }] }],
      ['message.added', { turnId: 't1', ...user('work') }],
      ['request.opened', { requestId: 's/asks#1' }],
      ['request.answered', { requestId: 's/asks#1', status: 'answered' }],
      ['message.added', { turnId: 't1', ...says(3, call('ask_parent', 'c3', {})) }],
      ['turn.completed', { turnId: 't1', inputs: [], usage: USAGE }],
      ['run.settled', { status: 'completed', usage: USAGE }],
    ]),
    logOf('s/tells', [
      ['message.received', { messageId: 'w1', message: 'go on' }],
      ['run.milestone', { n: 1, name: 'half' }],
      ['run.settled', { status: 'completed', usage: NONE }],
    ]),
    logOf('s/late', [['run.settled', { status: 'completed', usage: NONE }]]),
    logOf('s/cut', [['run.settled', { status: 'cancelled', reason: 'cancelled_by_budget', usage: NONE }]]),
  ];
  return {
    sessionId: 's',
    logs,
    merged: mergedOf(logs),
    unread: [],
    open: [],
    kept: false,
    told: { turns: ['k1'], runs: ['tells', 'late', 'cut'], refusable: ['runSettled'], afterEnd: [] },
  };
}

export function mergedOf(logs: readonly Log[]): OutliveEvent[] {
  const [own, ...runs] = logs;
  return [...(own?.events ?? []), ...runs.flatMap((log) => log.events.filter((event) => !isCopy(log, event)))];
}

function isCopy(log: Log, event: OutliveEvent): boolean {
  return isOwn(log, event) && (event.type === 'run.settled' || event.type === 'run.milestone');
}

const task = (key: string, attempt: number, unit: number, from?: number) => ({
  kind: 'task' as const,
  key,
  attempt,
  unit,
  worker: '1',
  ...(from === undefined ? {} : { from }),
});

export function goodFacts(): Facts {
  messages = 0;
  return {
    sessions: [session()],
    stopped: ['9'],
    effects: [
      ...[1, 2, 3, 4, 5].map((answer) => ({
        kind: 'model' as const,
        key: `step ${answer}`,
        answer,
        inputTokens: 10,
        outputTokens: 5,
        worker: '1',
      })),
      {
        kind: 'tool' as const,
        key: 's t1 c2',
        workflowId: 's',
        attempt: 1,
        tool: 'charge',
        idempotent: false,
        answer: 1,
        worker: '1',
      },
      task('s/tells', 1, 0, 0),
      task('s/tells', 1, 1),
      task('s/tells', 2, 0, 1),
      task('s/tells', 2, 2),
    ],
  };
}
