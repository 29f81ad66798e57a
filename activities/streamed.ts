/** What has come of an answer while the model goes on: what a heartbeat can carry, so that whoever follows the turn reads it as it is written. */
import type { StreamedPart } from '../src/contract.ts';
import { previewOf, utf8Length } from '../src/domain/state/json.ts';
import { KIB } from '../src/domain/state/sizes.ts';
import type { Registry } from './registry.ts';

/** A heartbeat is written anew each time; what comes after so much is read when the step has ended. */
const MOST_BYTES = 64 * KIB;

interface Delta {
  type: string;
  id?: string;
  text?: string;
}

export class Streamed {
  private readonly registry: Registry;
  private readonly written = new Map<string, StreamedPart>();
  private bytes = 0;
  private isNew = false;

  constructor(registry: Registry) {
    this.registry = registry;
  }

  /** A part of the AI SDK's stream; most kinds say nothing here. */
  add({ type, id = '', text = '' }: Delta): void {
    const kind = type === 'text-delta' ? 'text' : type === 'reasoning-delta' ? 'reasoning' : undefined;
    if (kind === undefined || text === '' || this.bytes >= MOST_BYTES) return;
    // A whole answer may come as one delta.
    const taken = previewOf(text, MOST_BYTES - this.bytes);
    this.bytes = taken === text ? this.bytes + utf8Length(text) : MOST_BYTES;
    this.isNew = true;
    const key = `${kind} ${id}`;
    const part = this.written.get(key);
    if (part === undefined) this.written.set(key, { type: kind, text: taken });
    else part.text += taken;
  }

  /** True once for each time that something has come. */
  takeNews(): boolean {
    const { isNew } = this;
    this.isNew = false;
    return isNew;
  }

  /** The beginning of what the message of the step will say: what may yet become part of a secret, or of a character, is held back. */
  get parts(): StreamedPart[] {
    const parts = [...this.written.values()].map(({ type, text }) => ({ type, text: this.registry.redact(text) }));
    const last = parts.at(-1);
    if (last !== undefined) last.text = this.settled(last.text);
    return parts.filter(({ text }) => text !== '');
  }

  private settled(text: string): string {
    return text.slice(0, text.length - this.registry.opening(text)).replace(/[\uD800-\uDBFF]$/u, '');
  }
}
