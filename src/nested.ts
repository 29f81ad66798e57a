/** Which session the code of a tool or task belongs to that runs just now: it may not wait for a turn of that session. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { NestedTurn } from './errors.ts';

const inside = new AsyncLocalStorage<string>();

/** Runs what belongs to a session, or to a run of it. */
export function insideOf<T>(sessionId: string, work: () => T): T {
  return inside.run(sessionId, work);
}

/** @throws NestedTurn inside a tool or task of this session. */
export function refuseNested(workflowId: string): void {
  const sessionId = inside.getStore();
  if (sessionId === undefined || workflowId.split('/')[0] !== sessionId) return;
  throw new NestedTurn(
    `Expected nobody to wait for a turn of "${sessionId}" inside one of its tools or tasks, got just that: the turn might wait for its own end. Submit it without waiting.`,
  );
}
