/**
 * How far this execution has grown: when the next one should take over, when what is under way is aborted for it, and when that
 * must be even if its outcome is then unknown. The server suggests the first; it ends a workflow for good at 51,200 events, 50 MiB,
 * 10,000 signals or 2,000 updates.
 */
import { workflowInfo } from '@temporalio/workflow';
import { MIB } from '../src/domain/state/sizes.ts';

const MOST_SIGNALS = 8000;
const MOST_UPDATES = 1600;
const MOST_EVENTS = 40_000;
const MOST_BYTES = 16 * MIB;
/** There is no later. */
const LAST_SIGNALS = 9500;
const LAST_UPDATES = 1900;
const LAST_EVENTS = 48_000;
const LAST_BYTES = 36 * MIB;

export class Growth {
  /** Signals of this execution: the server does not count them for its suggestion. */
  signals = 0;
  /** Accepted updates of this execution. */
  updates = 0;

  /** Between two steps the next execution takes over. `historyEvents` is what the session's settings say. */
  wants(historyEvents = MOST_EVENTS): boolean {
    const { historyLength, continueAsNewSuggested } = workflowInfo();
    return continueAsNewSuggested || historyLength >= historyEvents || this.must();
  }

  /** A step in flight that may be taken again is aborted for it. */
  must(): boolean {
    const { historyLength, historySize } = workflowInfo();
    return (
      this.signals >= MOST_SIGNALS ||
      this.updates >= MOST_UPDATES ||
      historyLength >= MOST_EVENTS ||
      historySize >= MOST_BYTES
    );
  }

  /** A step in flight is aborted whatever it is. */
  mustAtOnce(): boolean {
    const { historyLength, historySize } = workflowInfo();
    return (
      this.signals >= LAST_SIGNALS ||
      this.updates >= LAST_UPDATES ||
      historyLength >= LAST_EVENTS ||
      historySize >= LAST_BYTES
    );
  }
}
