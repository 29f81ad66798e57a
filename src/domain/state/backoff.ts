/** How long to wait before the next attempt, milliseconds: twice as long each time, up to a bound. `attempt` is the one that failed, from 1. */
export function backoff(attempt: number, first: number, most: number): number {
  return Math.min(first * 2 ** (attempt - 1), most);
}
