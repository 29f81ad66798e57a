/** What the research is made in: a folder of Markdown files, each paragraph a passage. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Passage {
  /** File and heading. */
  source: string;
  text: string;
}

/** As much of a passage as is shown. */
const SHOWN_CHARS = 600;

/** The passages that have most of the words, the best first. */
export async function searchLibrary(folder: string, query: string, most = 3): Promise<Passage[]> {
  const words = [...new Set(query.toLowerCase().match(/[a-z]{4,}/gu) ?? [])];
  const files = (await readdir(folder)).filter((file) => file.endsWith('.md')).toSorted();
  const passages = await Promise.all(
    files.map(async (file) => passagesOf(file, await readFile(join(folder, file), 'utf8'))),
  );
  return passages
    .flat()
    .map((passage) => ({ passage, score: scoreOf(passage, words) }))
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score)
    .slice(0, most)
    .map(({ passage: { source, text } }) => ({ source, text: text.slice(0, SHOWN_CHARS) }));
}

function passagesOf(file: string, markdown: string): Passage[] {
  return markdown.split(/^(?=#+ )/mu).flatMap((section) => {
    const [heading = '', ...lines] = section.split('\n');
    const source = `${file}: ${heading.replace(/^#+ /u, '')}`;
    // A paragraph or an item of a list each.
    return lines
      .join('\n')
      .split(/\n\n|\n(?=- )/u)
      .map((text) => ({ source, text: text.replaceAll(/\s+/gu, ' ').replace(/^- /u, '').trim() }));
  });
}

/** How many of the words it has, for its length: what says everything says little. */
function scoreOf({ text }: Passage, words: readonly string[]): number {
  const lower = text.toLowerCase();
  const found = words.filter((word) => lower.includes(word)).length;
  return found / Math.sqrt(60 + text.length);
}
