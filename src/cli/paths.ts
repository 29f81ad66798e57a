/** Paths for people. */
import { relative } from 'node:path';

/** A path as it is shortest to copy from here. */
export function nearest(path: string): string {
  const way = relative('.', path);
  return way === '' ? '.' : way.startsWith('..') ? path : way;
}
