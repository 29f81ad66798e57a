/** A place in a merged stream: the last number read of each log, as an opaque string. */
import { InvalidInput } from '../errors.ts';

export type Position = Record<string, number>;

export function cursorOf(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** The position that `after` stands for: a number in the session's own log, or a cursor. */
export function positionOf(sessionId: string, after: number | string): Position {
  if (typeof after === 'number' && Number.isInteger(after) && after >= 0) return { [sessionId]: after };
  try {
    const position: unknown = JSON.parse(Buffer.from(String(after), 'base64url').toString('utf8'));
    if (
      typeof position === 'object' &&
      position !== null &&
      Object.entries(position).every((entry) => isPlace(sessionId, entry))
    )
      return position as Position;
  } catch {
    // Told below, as any other bad cursor.
  }
  throw new InvalidInput(
    `Expected after to be a seq or a cursor of this stream, got ${JSON.stringify(after).slice(0, 80)}.`,
  );
}

function isPlace(sessionId: string, [workflowId, seq]: [string, unknown]): boolean {
  return (
    (workflowId === sessionId || workflowId.startsWith(`${sessionId}/`)) && Number.isInteger(seq) && Number(seq) >= 0
  );
}
