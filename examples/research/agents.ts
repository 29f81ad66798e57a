/**
 * Research in parallel: the researcher starts an investigation for each part of a question, three in the background, goes on talking meanwhile,
 * merges what they report, and asks a person before anything is published.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { defineAgent, defineTool, type AgentDefinition, type LanguageModel } from '../../src/define.ts';
import { searchLibrary } from './library.ts';
import { scriptedResearch } from './script.ts';

export interface ResearchOptions {
  /** Folder of Markdown files to search. */
  libraryDir: string;
  /** Folder for what is published. */
  outDir: string;
  /** Of both agents: an object, or `"provider:model"`. Default: a script that needs no key. */
  model?: LanguageModel | string;
}

const RESEARCHER = `You research questions in a library of documents, with helpers.

1. Split the question into three parts, and start the agent investigator with start_run for each, all three at once; its input is { "question": "<the part>" }. They work in the background: say so in one sentence and end your turn.
2. Each reports back in a message of its own, framed as <background-run>. As long as not all three have, say in one sentence what has come.
3. When the last one has, call publish once, with a title and one text in Markdown that merges the three findings and names their sources. A person is asked first.
4. Say what became of it: published, or that the person did not want it, with the comment.`;

const INVESTIGATOR = `You answer one question from a library. Search it with search_library, at most three times, then give report_result your finding in one or two sentences and the sources that you used. Never make anything up: when the library has nothing, say so.`;

const finding = z.object({ finding: z.string(), sources: z.array(z.string()) });

/** The agents for `defineConfig`. */
export function createResearch({ libraryDir, outDir, model }: ResearchOptions): { agents: AgentDefinition[] } {
  const search = defineTool({
    name: 'search_library',
    description: 'Finds the passages of the library that fit a question best: [{ source, text }].',
    input: z.object({ query: z.string() }),
    idempotent: true,
    execute: async ({ query }) => searchLibrary(libraryDir, query),
  });
  const publish = defineTool({
    name: 'publish',
    description: 'Publishes a text under a title. A person approves it first.',
    input: z.object({ title: z.string(), text: z.string() }),
    approval: true,
    idempotencyKey: ({ title }) => title.slice(0, 200),
    execute: async ({ title, text }, { sessionId }) => {
      const file = join(outDir, `${sessionId.replaceAll(/[^\w-]/gu, '-')}.md`);
      await mkdir(outDir, { recursive: true });
      await writeFile(file, `# ${title}\n\n${text}\n`);
      return { file };
    },
  });
  return {
    agents: [
      defineAgent({
        name: 'researcher',
        description: 'Researches a question and publishes the answer.',
        instructions: RESEARCHER,
        model: model ?? scriptedResearch(),
        tools: [publish],
        canStart: ['investigator'],
      }),
      defineAgent({
        name: 'investigator',
        description: 'Answers one question from the library. Its input is { "question": string }.',
        instructions: INVESTIGATOR,
        model: model ?? scriptedResearch(),
        tools: [search],
        output: finding,
      }),
    ],
  };
}
