/**
 * The page of details that Temporal's Web UI shows: made when somebody looks, since every activation of every run would pay for
 * one that is made ahead. The SDK reads it in its own query, and only there.
 */
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';
import type { State } from '../src/domain/state/state.ts';
import { sessionDetails } from '../src/domain/view/details.ts';
import { rowView, sessionView } from '../src/domain/view/queries.ts';

/** Rows that the page may show. */
const MOST_ROWS = 200;

export function showPage(state: State): void {
  Object.defineProperty(getActivator(), 'currentDetails', {
    configurable: true,
    get: () =>
      sessionDetails(
        sessionView(state),
        state.runs.all.slice(-MOST_ROWS).map((row) => rowView(row, false)),
      ),
  });
}
