/** Sends what the plan says, and answers what runs ask a person. What fails because something is away is sent again: that is safe by its ids. */
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { OutliveClient, SessionHandle } from '../src/client/index.ts';
import { OutliveError, SessionClosed } from '../src/errors.ts';
import type { Forgery, Item, Message } from './plan.ts';
import { until } from './until.ts';

/** An epoch that no workflow has. */
const OTHER = '00000000-0000-7000-8000-000000000000';
const LOOK_MS = 300;
const USAGE = { inputTokens: 0, outputTokens: 0, totalTokens: 0, modelCalls: 0 };

/** What the client was told, by the session it was told of. */
export interface Told {
  /** Idempotency keys of turns and ids of runs that were accepted. */
  turns: Set<string>;
  runs: Set<string>;
  /** Names of signals that may have been refused. */
  refusable: Set<string>;
  /** What was answered after the end. */
  afterEnd: string[];
}

export class Player {
  readonly told = new Map<string, Told>();
  private readonly client: OutliveClient;
  /** What can only be sent when a run has settled, or when all is quiet. */
  private late: Extract<Item, { do: 'forge' }>[] = [];

  constructor(client: OutliveClient) {
    this.client = client;
  }

  toldOf(session: string): Told {
    let told = this.told.get(session);
    if (told === undefined)
      this.told.set(session, (told = { turns: new Set(), runs: new Set(), refusable: new Set(), afterEnd: [] }));
    return told;
  }

  async send({ session, as, message }: Extract<Item, { do: 'send' }>): Promise<void> {
    const told = this.toldOf(session);
    const accepted = as === 'update' ? await this.update(session, message) : await this.signal(session, message);
    if (
      as === 'signal' &&
      (message.name === 'cancelTurn' || message.name === 'messageRun' || message.name === 'cancelRun')
    )
      told.refusable.add(message.name);
    if (!accepted) return;
    if (message.name === 'submitTurn') told.turns.add(message.argument.idempotencyKey);
    if (message.name === 'startRun') told.runs.add(message.argument.runId);
    if (message.name === 'startRuns') for (const { runId } of message.argument.runs) told.runs.add(runId);
  }

  private async update(session: string, message: Message): Promise<boolean> {
    const handle = this.client.session(session) as unknown as Record<string, (argument: unknown) => Promise<unknown>>;
    return until(`${session} to take ${message.name}`, async () => {
      try {
        await handle[message.name]?.(message.argument);
        return 'accepted' as const;
      } catch (error) {
        // A refusal is an answer.
        if (error instanceof OutliveError && error.type !== 'Unavailable') return 'refused' as const;
        throw error;
      }
    }).then((answer) => answer === 'accepted');
  }

  private async signal(workflowId: string, { name, argument }: { name: string; argument: unknown }): Promise<boolean> {
    return until(`${workflowId} to be sent ${name}`, async () => {
      try {
        await this.client.temporal.workflow.getHandle(workflowId).signal(name, argument);
        return 'sent' as const;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return 'gone' as const;
        throw error;
      }
    }).then((answer) => answer === 'sent');
  }

  async forge(item: Extract<Item, { do: 'forge' }>): Promise<void> {
    const { session, runId, forgery } = item;
    if (forgery === 'settled again' && !(await this.hasSettled(session, runId))) {
      this.late.push(item);
      return;
    }
    const epoch = forgery === 'settled again' ? (await this.view(session)).epoch : OTHER;
    const { to, name, argument } = forged(forgery, session, runId, epoch);
    // Whoever speaks of another epoch is told that its parent is gone, which the run, whose parent is there, refuses.
    this.toldOf(session).refusable.add(name).add('parentGone');
    await this.signal(to, { name, argument });
  }

  private async view(session: string): ReturnType<SessionHandle['getSession']> {
    return until(`${session} to answer`, async () => this.client.session(session).getSession());
  }

  private async hasSettled(session: string, runId: string): Promise<boolean> {
    return until(`${session} to tell of ${runId}`, async () => {
      const row = await this.client.session(session).getRun({ runId });
      return { settled: row?.settledAt !== undefined };
    }).then(({ settled }) => settled);
  }

  /** What has waited for runs to settle; those of sessions that are closed by now are left. */
  async sendLate(isOpen: (session: string) => boolean): Promise<void> {
    for (const item of this.late.splice(0)) if (isOpen(item.session)) await this.forge(item);
    this.late = [];
  }

  async close({ session, runs, turn }: Omit<Extract<Item, { do: 'close' }>, 'do'>): Promise<void> {
    await until(`${session} to close`, async () => {
      try {
        await this.client.session(session).close({ runs, turn });
      } catch (error) {
        if (!(error instanceof SessionClosed)) throw error;
      }
      return true;
    });
  }

  /** Sends to a closed session what it was sent before its end: nothing may come of it. */
  async afterEnd(session: string, items: readonly Item[]): Promise<void> {
    for (const item of items.slice(0, 3)) {
      if (item.do !== 'send') continue;
      const { name } = item.message;
      if (await this.update(session, item.message)) this.toldOf(session).afterEnd.push(`the update ${name}`);
      if (await this.signal(session, item.message)) this.toldOf(session).afterEnd.push(`the signal ${name}`);
    }
    const { name, argument } = forged('settled again', session, 'run-1', OTHER);
    if (await this.signal(session, { name, argument })) this.toldOf(session).afterEnd.push(`the signal ${name}`);
  }

  /** Answers what a session, or a run, shows of questions to a person, each twice; with `all` also what nobody else has answered. */
  async answer(session: string, all: boolean): Promise<void> {
    const { requests } = await this.client.session(session).getSession();
    for (const { requestId, question = '' } of requests) {
      if (!all && !question.startsWith('person')) continue;
      for (const value of ['yes', 'no'])
        await this.client
          .session(session)
          .answer({ requestId, value, by: 'person' })
          .catch(() => undefined);
    }
  }

  /** Until it is told to stop: every session's open questions are answered. */
  async person(sessions: readonly string[], stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      for (const session of sessions) if (!stop.aborted) await this.answer(session, false).catch(() => undefined);
      await pause(LOOK_MS);
    }
  }
}

function forged(
  forgery: Forgery,
  session: string,
  runId: string,
  epoch: string,
): { to: string; name: string; argument: unknown } {
  const run = `${session}/${runId}`;
  const now = new Date().toISOString();
  switch (forgery) {
    case 'settled again':
    case 'settled, of another epoch':
      return {
        to: session,
        name: 'runSettled',
        argument: {
          runId,
          epoch,
          status: 'failed',
          reason: 'agent_error',
          error: { type: 'Error', message: 'forged' },
          usage: { ...USAGE, totalTokens: 1000 },
        },
      };
    case 'milestones, of another epoch':
      return {
        to: session,
        name: 'runMilestones',
        argument: { runId, epoch, milestones: [{ n: 900, name: 'half', at: now }] },
      };
    case 'request, of another epoch':
      return {
        to: session,
        name: 'runRequest',
        argument: {
          runId,
          epoch,
          request: {
            requestId: `${run}#900`,
            kind: 'ask_parent',
            workflowId: run,
            runId,
            question: 'forged?',
            status: 'open',
            openedAt: now,
            expiresAt: now,
          },
        },
      };
    case 'cancel, of another epoch':
      return { to: run, name: 'runCancel', argument: { epoch, reason: 'cancelled_by_user' } };
    case 'message, of another epoch':
      return {
        to: run,
        name: 'runMessage',
        argument: { epoch, messages: [{ n: 1, messageId: 'forged', message: 'forged' }] },
      };
    case 'parent gone, of another epoch':
      return { to: run, name: 'parentGone', argument: { epoch } };
    case 'answer to no request':
      return { to: session, name: 'answer', argument: { requestId: `${run}#900`, value: 'forged' } };
    default:
      return forgery satisfies never;
  }
}
