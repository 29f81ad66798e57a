/**
 * What the agents, tools and tasks of the chaos run did in the world, one line of JSON each in one file, appended with O_APPEND: it
 * outlives every process that is killed, and no database or workflow has a say in it.
 */
import { appendFileSync, closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';

/** Which worker did it, by the number of its process. */
interface Done {
  worker: string;
}

/** A model answered; `key` is the conversation and how far it had come: the same for every attempt of one step. */
export interface ModelEffect extends Done {
  kind: 'model';
  key: string;
  /** The answer's number, over all answers there are; it stands at the beginning of its text. */
  answer: number;
  inputTokens: number;
  outputTokens: number;
}

/** A tool did what it does; `key` is its call: workflow, turn and call id. */
export interface ToolEffect extends Done {
  kind: 'tool';
  key: string;
  workflowId: string;
  attempt: number;
  tool: string;
  idempotent: boolean;
  /** The answer of the model that asked for it. */
  answer: number;
}

/** A task did one unit of its work, or began (0); `key` is its run's workflow. */
export interface TaskEffect extends Done {
  kind: 'task';
  key: string;
  attempt: number;
  unit: number;
  /** With unit 0: how many units its checkpoint says were done before. */
  from?: number;
}

export type Effect = ModelEffect | ToolEffect | TaskEffect;

export function append(file: string, effect: Effect): void {
  appendFileSync(file, `${JSON.stringify(effect)}\n`);
}

/** The lines of the file so far; what was read once is not read again. */
export class EffectsFile {
  readonly path: string;
  private readonly seen: Effect[] = [];
  private at = 0;
  private rest = '';

  constructor(path: string) {
    this.path = path;
  }

  read(): readonly Effect[] {
    if (!existsSync(this.path)) return this.seen;
    const file = openSync(this.path, 'r');
    try {
      const bytes = Buffer.alloc(fstatSync(file).size - this.at);
      this.at += readSync(file, bytes, 0, bytes.length, this.at);
      // Only ASCII is written, so that no character is cut in two.
      const lines = (this.rest + bytes.toString('utf8')).split('\n');
      this.rest = lines.pop() ?? '';
      for (const line of lines) this.seen.push(JSON.parse(line) as Effect);
    } finally {
      closeSync(file);
    }
    return this.seen;
  }
}
