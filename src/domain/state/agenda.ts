/**
 * The instants of many things, of which the nearest is known at once. What has moved meanwhile stays in the queue and is passed over, so
 * that a change costs the same however many others there are.
 */
import TinyQueue from 'tinyqueue';

interface Entry<T> {
  at: number;
  /** Which comes first of two at the same instant. */
  order: number;
  item: T;
}

/** Entries that may be out of date before the queue is made anew. */
const MOST_STALE = 64;

export class Agenda<T> {
  private queue = new TinyQueue<Entry<T>>([], byTime);
  private readonly current = new Map<T, Entry<T>>();

  /** The instant of a thing, milliseconds; without one it has none any more. */
  set(item: T, at: number | undefined, order: number): void {
    const before = this.current.get(item);
    if (before?.at === at) return;
    if (at === undefined) {
      this.current.delete(item);
      return;
    }
    const entry = { at, order, item };
    this.current.set(item, entry);
    this.queue.push(entry);
    if (this.queue.length > 2 * this.current.size + MOST_STALE)
      this.queue = new TinyQueue([...this.current.values()], byTime);
  }

  /** The nearest, if there is one. */
  first(): { at: number; item: T } | undefined {
    for (;;) {
      const entry = this.queue.peek();
      if (entry === undefined || this.current.get(entry.item) === entry) return entry;
      this.queue.pop();
    }
  }

  /** What comes up to an instant, the first first. */
  until(at: number): T[] {
    const found: Entry<T>[] = [];
    // No entry of the heap is before the one above it.
    const look = (index: number): void => {
      const entry = this.queue.data[index];
      if (entry === undefined || entry.at > at) return;
      if (this.current.get(entry.item) === entry) found.push(entry);
      look(2 * index + 1);
      look(2 * index + 2);
    };
    look(0);
    return found.sort(byTime).map(({ item }) => item);
  }
}

function byTime(a: Entry<unknown>, b: Entry<unknown>): number {
  return a.at - b.at || a.order - b.order;
}
