/**
 * The example's configuration.
 *
 * RESEARCH_MODEL    a model by name, such as `anthropic:claude-sonnet-4-5`; default: a script that needs no key
 * RESEARCH_LIBRARY  folder of Markdown files to search; default: the documents of this repository
 * OUTLIVE_OUT       folder for what is published; default `out`
 */
import { join } from 'node:path';
import { defineConfig } from '../../src/define.ts';
import { createResearch } from './agents.ts';

const { RESEARCH_MODEL, RESEARCH_LIBRARY = join(import.meta.dirname, '../../docs'), OUTLIVE_OUT = 'out' } = process.env;

export default defineConfig({
  taskQueue: 'research',
  ...createResearch({
    libraryDir: RESEARCH_LIBRARY,
    outDir: join(OUTLIVE_OUT, 'research'),
    ...(RESEARCH_MODEL === undefined ? {} : { model: RESEARCH_MODEL }),
  }),
});
