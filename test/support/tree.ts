/** A tree of logs that grows by itself, as those of a session and its runs do: what a reader of their merged stream reads. */
import type { OutliveEvent } from '../../src/contract.ts';
import type { EventType } from '../../src/domain/state/types.ts';
import type { Log } from '../../src/client/log.ts';

interface Grown {
  workflowId: string;
  epoch: string;
  starter?: Grown;
  runId?: string;
  events: OutliveEvent[];
  /** Its workflow is there. */
  there: boolean;
  closed: boolean;
  /** Its starter has told its end. */
  told: boolean;
}

export type Growth = 'start' | 'start alike' | 'say' | 'milestone' | 'settle' | 'force' | 'tell' | 'close';

export class Tree {
  readonly reads: string[] = [];
  readonly sessionId = 's';
  private readonly logs = new Map<string, Grown>();
  private now = Date.parse('2026-01-01T00:00:00.000Z');

  constructor() {
    this.emit(this.put('s'), 'session.started', {});
  }

  private put(workflowId: string, starter?: Grown, runId?: string): Grown {
    const log: Grown = {
      workflowId,
      epoch: `epoch of ${workflowId}`,
      ...(starter === undefined ? {} : { starter }),
      ...(runId === undefined ? {} : { runId }),
      events: [],
      there: true,
      closed: false,
      told: false,
    };
    this.logs.set(workflowId, log);
    return log;
  }

  private emit(log: Grown, type: EventType, about: { runId?: string; n?: number; agent?: string }): void {
    const { workflowId, runId, events, starter } = log;
    const at = new Date(this.now).toISOString();
    const event: OutliveEvent = { seq: events.length + 1, at, type, workflowId, sessionId: 's', ...about };
    if (about.runId !== undefined && runId !== undefined) event.parentRunId = runId;
    if (about.runId === undefined && runId !== undefined) {
      event.runId = runId;
      if (starter?.runId !== undefined) event.parentRunId = starter.runId;
    }
    events.push(event);
  }

  /** One thing happens, somewhere; an instant later than the last, or at the same. */
  grow(what: Growth, where: number, later: boolean): void {
    if (later) this.now += 1;
    const open = [...this.logs.values()].filter((log) => log.there && !log.closed);
    const log = open[where % open.length];
    if (log === undefined) return;
    const { starter, runId } = log;
    switch (what) {
      case 'start':
      case 'start alike': {
        const id = what === 'start' ? `r${this.logs.size}` : (runId ?? 'r');
        const workflowId = `${log.workflowId}/${id}`;
        if (this.logs.has(workflowId)) return;
        this.emit(log, 'run.queued', { runId: id });
        this.emit(log, 'run.started', { runId: id });
        this.put(workflowId, log, id).there = where % 5 !== 0;
        return;
      }
      case 'say':
        for (const late of this.logs.values()) late.there = true;
        this.emit(log, 'message.added', {});
        return;
      case 'milestone': {
        if (starter === undefined || runId === undefined) return;
        // Three of one id in a row: then the milestone of the third is told as that of the second.
        if (starter.runId === runId && starter.starter?.runId === runId) return;
        const n = log.events.length;
        this.emit(log, 'run.milestone', { n });
        if (!starter.closed && !log.told) this.emit(starter, 'run.milestone', { runId, n });
        return;
      }
      case 'settle':
        if (starter === undefined) return;
        this.emit(log, 'run.settled', {});
        if (where % 3 === 0) this.emit(log, 'input.refused', {});
        this.close(log);
        return;
      case 'force':
        this.tell(log);
        return;
      case 'tell':
        for (const one of this.logs.values()) if (one.closed) this.tell(one);
        return;
      case 'close':
        if (starter === undefined && where % 4 === 0) {
          this.emit(log, 'session.closed', {});
          this.close(log);
        }
        return;
      default:
        throw new Error(`Expected a growth, got ${String(what satisfies never)}.`);
    }
  }

  /** Not while a start is under way. */
  private close(log: Grown): void {
    for (const run of this.logs.values()) if (run.starter === log) run.there = true;
    log.closed = true;
  }

  private tell(run: Grown): void {
    const { starter, runId, told } = run;
    if (starter === undefined || runId === undefined || starter.closed || told) return;
    run.told = true;
    this.emit(starter, 'run.settled', { runId, agent: 'helper' });
  }

  /** All that is open ends, and is told where somebody hears it. */
  end(): void {
    for (const log of this.logs.values()) log.there = true;
    for (const log of [...this.logs.values()].toReversed()) {
      this.now += 1;
      if (log.closed) continue;
      this.emit(log, log.starter === undefined ? 'session.closed' : 'run.settled', {});
      log.closed = true;
      this.tell(log);
    }
    this.grow('tell', 0, true);
  }

  read = async (workflowId: string, from: number): Promise<Log | undefined> => {
    this.reads.push(`${workflowId} ${from}`);
    const log = this.logs.get(workflowId);
    if (log?.there !== true) return Promise.resolve(undefined);
    return Promise.resolve({
      epoch: log.epoch,
      ...(log.starter === undefined ? {} : { parentEpoch: log.starter.epoch }),
      events: log.events.slice(from - 1),
      lastSeq: log.events.length,
      closed: log.closed,
      complete: log.closed,
    });
  };

  /** What the whole stream is to tell, in no order: the end of a run and its milestones once, by its starter if that has told them. */
  told(): string[] {
    return [...this.logs.values()].flatMap((log) =>
      log.events
        .filter((event) => {
          const isOwn =
            event.runId === log.runId && event.parentRunId === log.starter?.runId && event['agent'] === undefined;
          if (log.starter === undefined || !isOwn) return true;
          if (event.type === 'run.settled') return !log.told;
          if (event.type !== 'run.milestone') return true;
          const { starter } = log;
          return !starter.events.some(
            (one) => one['n'] === event['n'] && one.runId === log.runId && one.parentRunId === starter.runId,
          );
        })
        .map(identity),
    );
  }
}

export function identity({ workflowId, seq }: { workflowId: string; seq: number }): string {
  return `${workflowId} ${seq}`;
}
