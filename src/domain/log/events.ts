/** The event log: numbered from 1 per workflow id, without gaps or repeats, through every continue-as-new. */
import { iso, type Cx } from '../state/state.ts';
import type { EventType, OutliveEvent } from '../state/types.ts';

/** Where an event points; ids left out are not written. */
export interface About {
  runId?: string | undefined;
  turnId?: string | undefined;
  toolCallId?: string | undefined;
  parentToolCallId?: string | undefined;
  [field: string]: unknown;
}

/** Appends one event to the log. In a run's log an event without a `runId` of its own carries the run's. */
export function emit(cx: Cx, type: EventType, about: About = {}): OutliveEvent {
  const { state } = cx;
  const { self } = state;
  const event: OutliveEvent = {
    seq: ++state.lastSeq,
    at: iso(cx.now),
    type,
    workflowId: state.workflowId,
    sessionId: state.sessionId,
  };
  if (self !== undefined) {
    if (about.runId === undefined) {
      event.runId = self.runId;
      if (self.parentRunId !== undefined) event.parentRunId = self.parentRunId;
      if (self.parentToolCallId !== undefined) event.parentToolCallId = self.parentToolCallId;
    } else event.parentRunId = self.runId;
  }
  for (const [field, value] of Object.entries(about)) if (value !== undefined) event[field] = value;
  state.log.push(event);
  return event;
}

/** The first number that the log in the state still has; one more than the last when it has none. */
export function firstSeq(state: { log: readonly OutliveEvent[]; lastSeq: number }): number {
  return state.log[0]?.seq ?? state.lastSeq + 1;
}
