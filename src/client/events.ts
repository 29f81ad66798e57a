export interface EventsOptions { after?: number | string }
export type EventItem = never;
export async function* readEvents(..._: unknown[]): AsyncIterable<EventItem> { yield* []; }
