/**
 * How far this execution has grown: when the next one should take over, when what is under way is aborted for it, and when that
 * must be even if its outcome is then unknown. The server suggests the first; it ends a workflow for good at 51,200 events, 50 MiB,
 * 10,000 signals or 2,000 updates.
 */
import { workflowInfo, type WorkflowInfo as Info } from '@temporalio/workflow';
import { MIB } from '../src/domain/state/sizes.ts';

interface Bounds {
  signals: number;
  updates: number;
  events: number;
  bytes: number;
}

const MOST: Bounds = { signals: 8000, updates: 1600, events: 40_000, bytes: 16 * MIB };
/** There is no later. */
const LAST: Bounds = { signals: 9500, updates: 1900, events: 48_000, bytes: 36 * MIB };

export class Growth {
  /** Signals of this execution: the server does not count them for its suggestion. */
  signals = 0;
  /** Accepted updates of this execution. */
  updates = 0;
  private seen: Pick<Info, 'historyLength' | 'historySize' | 'continueAsNewSuggested'> = workflowInfo();

  /**
   * Takes note of how far the history has grown: with each input, and only then. A task that brings nothing, as one for a query or for an update
   * that is refused, is not there in a replay.
   */
  look(): void {
    this.seen = workflowInfo();
  }

  /** Between two steps the next execution takes over. `historyEvents` is what the session's settings say. */
  wants(historyEvents = MOST.events): boolean {
    const { historyLength, continueAsNewSuggested } = this.seen;
    return continueAsNewSuggested || historyLength >= historyEvents || this.must();
  }

  /** A step in flight that may be taken again is aborted for it. */
  must(): boolean {
    return this.isBeyond(MOST);
  }

  /** A step in flight is aborted whatever it is. */
  mustAtOnce(): boolean {
    return this.isBeyond(LAST);
  }

  private isBeyond({ signals, updates, events, bytes }: Bounds): boolean {
    const { historyLength, historySize } = this.seen;
    return this.signals >= signals || this.updates >= updates || historyLength >= events || historySize >= bytes;
  }
}
