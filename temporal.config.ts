/**
 * The app's one typed configuration: what this worker serves. Only entry points read it, and the environment is read here only.
 *
 * OUTLIVE_OUT     folder for databases and pages; default `out`
 * OUTLIVE_FILES   folder of the CSV files that may be loaded; default `out`
 * OUTLIVE_MODEL   model of the builder by name, such as `anthropic:claude-sonnet-4-5`; default a script that needs no key
 * OUTLIVE_PACE    pace of the demo: 1 is that of a model and a source people know, 0 is as fast as it goes; default 1
 */
import { createBuilder } from './examples/import-and-build/agent.ts';
import { defineConfig } from './src/define.ts';

const { OUTLIVE_OUT = 'out', OUTLIVE_FILES = OUTLIVE_OUT, OUTLIVE_MODEL, OUTLIVE_PACE = '1' } = process.env;
const pace = Math.max(0, Number(OUTLIVE_PACE) || 0);

/** A model of about 16 words a second (it writes no page word by word, as a real one would), a source of about 6,000 rows a second. */
const WORD_MS = 60;
const BATCH_MS = 330;

export default defineConfig({
  ...createBuilder({
    outDir: OUTLIVE_OUT,
    filesDir: OUTLIVE_FILES,
    ...(OUTLIVE_MODEL ? { model: OUTLIVE_MODEL } : {}),
    pace: { wordMs: WORD_MS * pace, batchMs: BATCH_MS * pace },
  }),
});
