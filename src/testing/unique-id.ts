import { randomUUID } from 'node:crypto';

/** An id that nobody has used, short enough to be read. */
export function uniqueId(prefix = 's'): string {
  return `${prefix}-${randomUUID().slice(0, 13)}`;
}
