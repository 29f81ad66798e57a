/** Questions of runs: what an answer has to be, and what becomes of one that nobody needs to answer any more. */
import { describe, expect, test } from 'vitest';
import { admitAnswer, answerOwn, findRequest } from '../../src/domain/run/requests.ts';
import { textOf } from '../../src/domain/delivery/transcript.ts';
import { sessionView } from '../../src/domain/view/queries.ts';
import type { RequestStatus } from '../../src/domain/state/types.ts';
import { Driver, refusal } from '../support/domain.ts';

/** What run `x` says of its question. */
function ask(d: Driver, status: RequestStatus = 'open', n = 1): void {
  d.question('x', { n, status, question: `Which year, ${n}?` });
}

/** A session whose lane is busy and whose run has asked. */
function asked(): Driver {
  const d = Driver.session();
  d.running('x');
  d.submit('busy');
  ask(d);
  return d;
}

const lastFrame = (d: Driver): string => {
  const framed = d.state.transcript.findLast(({ message }) => message.metadata?.['kind'] === 'ask');
  return framed === undefined ? '' : textOf(framed.message);
};

describe('case 16a an answer to a question needs a value', () => {
  const own = (): { d: Driver; requestId: string } => {
    const d = Driver.run('agent');
    d.say([{ id: 'q', runtime: 'ask_parent', input: { question: 'Which year?' } }]);
    return { d, requestId: 's/x#1' };
  };

  test.each([
    { decision: 'approve' as const },
    { decision: 'reject' as const },
    { comment: 'yes' },
    { value: null },
    {},
  ])('%j is refused before it is recorded, and changes nothing', (answer) => {
    const { d, requestId } = own();
    const before = d.state.lastSeq;
    expect(refusal(admitAnswer(d.state, { requestId, ...answer }))).toBe('InvalidInput');
    expect(refusal(d.send((cx) => answerOwn(cx, { requestId, ...answer })))).toBe('InvalidInput');
    expect(findRequest(d.state, requestId)?.status).toBe('open');
    expect(d.state.lastSeq).toBe(before);
  });

  test('a session refuses it for a run below it; what is falsy is an answer', () => {
    const d = asked();
    expect(refusal(admitAnswer(d.state, { requestId: 's/x#1', decision: 'approve' }))).toBe('InvalidInput');
    for (const value of [0, false, '', []]) expect(admitAnswer(d.state, { requestId: 's/x#1', value })).toBeUndefined();
  });

  test('one that is no longer open answers with what stands, whatever comes', () => {
    const { d, requestId } = own();
    d.send((cx) => answerOwn(cx, { requestId, value: 2024 }));
    expect(d.send((cx) => answerOwn(cx, { requestId, decision: 'approve' }))).toMatchObject({
      status: 'answered',
      deduplicated: true,
    });
  });
});

describe('case 27 T-24 a question that is no longer open when its turn starts', () => {
  test.each(['answered', 'expired', 'withdrawn'] as const)(
    '%s: it is appended with that, without a model call, and its turn is skipped / answered',
    (status) => {
      const d = asked();
      ask(d, status);
      const before = d.state.lastSeq;
      d.say('free');
      expect(d.asks('model')).toBe(false);
      expect(d.story(before).slice(2)).toEqual([
        expect.stringMatching(/^message.added x? ?user hidden/u),
        expect.stringMatching(/^turn.skipped answered \[bg-task:s:x:ask:1\]/u),
      ]);
      expect(lastFrame(d)).toContain(`"status":"${status}"`);
      expect(lastFrame(d)).toContain('status="running"');
    },
  );

  test('it is skipped in a session that has continued as new too', () => {
    const d = asked();
    d.stumble({ retryAfterMs: 1000 });
    ask(d, 'answered');
    d.continueAsNew();
    d.pass(1000);
    d.say('free');
    expect(d.asks('model')).toBe(false);
    expect(lastFrame(d)).toContain('"status":"answered"');
  });

  test('beside something else that is to be read it is part of an ordinary turn', () => {
    const d = asked();
    ask(d, 'answered');
    ask(d, 'open', 2);
    d.say('free');
    expect(d.asks('model')).toBe(true);
  });

  test('after its run has been cancelled and settled the frame says so', () => {
    const d = asked();
    d.settled('x', { status: 'failed', reason: 'agent_error' });
    d.say('free');
    expect(lastFrame(d)).toContain('status="failed"');
    expect(lastFrame(d)).toContain('"status":"withdrawn"');
  });

  test('a message to the run is a message then, and not its answer', () => {
    const d = asked();
    ask(d, 'answered');
    d.say([{ id: 'm', runtime: 'message_run', input: { runId: 'x', message: '2024' } }]);
    expect(d.asked.some((effect) => effect.do === 'tell' && effect.letter.name === 'requestAnswered')).toBe(false);
    expect(d.arrives('runMessage').messages.map((one) => one.message)).toEqual(['2024']);
  });
});

test('case 27 a milestone that is read after its run has settled says the status of now', () => {
  const d = Driver.session();
  d.submit('busy');
  d.running('x', { detached: { onMilestones: { names: ['half'], mode: 'react' } } });
  d.reached('x', [[1, 'half']]);
  d.settled('x');
  d.say('free');
  const framed = d.state.transcript.find(({ message }) => message.metadata?.['kind'] === 'milestone');
  expect(framed?.message.metadata?.['status']).toBe('completed');
  expect(framed === undefined ? '' : textOf(framed.message)).toContain('status="completed"');
});

test('case 22 a run that is lost asks nothing any more: its question is withdrawn and costs no model call', () => {
  const d = asked();
  ask(d, 'open', 2);
  for (let i = 0; i < 4; i++) {
    while (!d.asks('look')) d.pass(1000);
    d.glance({ runId: 'x', found: 'nothing' });
  }
  expect(d.row('x')).toMatchObject({ status: 'interrupted', reason: 'lost' });
  expect(sessionView(d.state).requests).toEqual([]);
  expect(d.state.requests.map(({ status }) => status)).toEqual(['withdrawn', 'withdrawn']);
});
