/** What the worker runs: `npx outlive dev` starts one, and starts it anew when this file or one that it imports changes. */
import { defineAgent, defineConfig } from 'outlive';
import { demoModel } from 'outlive/testing';
import { countWords } from './tasks/count-words.ts';

export const helper = defineAgent({
  name: 'helper',
  instructions:
    'Help with texts. Start long work in the background, go on, and tell what came of it when it reports back.',
  // A script that needs no key. For a real model: npm install @ai-sdk/anthropic, put the key into ANTHROPIC_API_KEY,
  // and write here: model: 'anthropic:claude-sonnet-4-5',
  model: demoModel(),
  canStart: ['count_words'],
});

export default defineConfig({ agents: [helper], tasks: [countWords] });
