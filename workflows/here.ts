/**
 * Whether what runs now runs in its own workflow. An activation that takes longer than the SDK lets it, as when its process was stopped for a
 * while, is cut off, and what it has left to do is done in the midst of another workflow, or of none. Whatever it asked for there would be asked for by
 * that workflow, whose next replay would not ask for it.
 */
import { maybeGetActivator } from '@temporalio/workflow/lib/global-attributes.js';

/** This module is evaluated once in each workflow. */
const home = maybeGetActivator();

export function isHere(): boolean {
  return maybeGetActivator() === home;
}

/** Asks Temporal for something; what is asked for elsewhere never comes. */
export async function atHome<T>(ask: () => Promise<T>): Promise<T> {
  return isHere() ? ask() : new Promise<never>(() => undefined);
}
