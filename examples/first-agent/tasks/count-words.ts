/** Long work: it reports how far it is, goes on there when its worker is lost, and says when it has reached a point of interest. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { defineTask } from 'outlive';
import { z } from 'zod';

/** Lines of one step. */
const STEP = 20;

interface Counted {
  lines: number;
  words: number;
}

export const countWords = defineTask({
  name: 'count_words',
  description: 'Counts the words of a text file.',
  input: z.object({ file: z.string().describe('Path of the file, for example README.md') }),
  run: async ({ file }, ctx) => {
    const lines = (await readFile(file, 'utf8')).split('\n');
    // What an earlier attempt had counted before its worker was lost.
    const counted = { lines: 0, words: 0, ...(ctx.checkpoint as Partial<Counted> | undefined) };
    while (counted.lines < lines.length) {
      const step = lines.slice(counted.lines, counted.lines + STEP);
      counted.lines += step.length;
      counted.words += step.join(' ').split(/\s+/u).filter(Boolean).length;
      ctx.progress({ fraction: counted.lines / lines.length, phase: 'counting', checkpoint: { ...counted } });
      await pause(100, undefined, { signal: ctx.signal });
    }
    await ctx.milestone('counted', { ...counted });
    return { file, ...counted };
  },
});
