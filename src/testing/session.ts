/** What a test asks of a session: waits that end at a condition, and all that has happened. */
import type { EventItem, EventsOptions, SessionHandle } from '../client/index.ts';
import type { UIMessage } from '../contract.ts';
import { eventually } from './eventually.ts';

/**
 * Waits until no turn runs, waits or is queued, and no run is unsettled.
 *
 * @param withinMs how long at most; default 100,000.
 * @throws Error that says how the session stands when it does not come to rest by then.
 */
export async function atRest(session: SessionHandle, withinMs?: number): Promise<void> {
  await eventually(
    'the session to come to rest',
    async () => {
      const view = await session.getSession();
      const { queued, running, interrupted, input_required } = view.runs;
      if (view.status === 'idle' && view.queue.length === 0 && queued + running + interrupted + input_required === 0)
        return true;
      throw new Error(`It is ${JSON.stringify(view)}.`);
    },
    withinMs,
  );
}

/** Every event until now, in order; with `includeRuns` those of its runs too. */
export async function allEvents(session: SessionHandle, options: EventsOptions = {}): Promise<EventItem[]> {
  const events: EventItem[] = [];
  for await (const event of session.events(options)) events.push(event);
  return events;
}

/** The text of a message of a transcript; empty when there is none. */
export function textOf(message: UIMessage | undefined): string {
  return (message?.parts ?? [])
    .filter((part) => part.type === 'text')
    .map((part) => String(part['text']))
    .join('');
}
