/** The tools of the builder. Each may be called twice with the same result; what they write stays in the session's folder. */
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { z } from 'zod';
import { defineTool, type ToolContext, type ToolDefinition } from '../../src/define.ts';
import { chartSpecs, planCharts } from './charts.ts';
import { ENCODING_NAMES } from './csv/encoding.ts';
import { CsvSource } from './csv/source.ts';
import { renderDashboard, renderSkeleton } from './dashboard.ts';
import { parseFigures, readFigures } from './figures.ts';
import { inside, nameIn, ofSession, writeWhole } from './files.ts';
import { fileToLoad } from './named-files.ts';
import { describe } from './page/format.ts';
import { inspect, type InspectedColumn } from './roles.ts';

export interface ToolOptions {
  /** Folder of the files that may be read. */
  filesDir: string;
  /** Folder that pages are written to. */
  outDir: string;
}

const file = z.string().min(1).describe('Name of the CSV file.');
const title = z.string().min(1).max(120);
const page = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.html$/)
  .default('dashboard.html')
  .describe('Name of the page.');
const LISTED = 60;

/** `inspect_file`, `design_queries`, `write_page`, `run_queries`, `finish_page`. */
export function createTools({ filesDir, outDir }: ToolOptions): ToolDefinition<any, any>[] {
  const inSession = (ctx: ToolContext, name: string): string => ofSession(outDir, ctx.sessionId, name);

  return [
    defineTool({
      name: 'inspect_file',
      description:
        'Reads the header and a sample of a CSV file: its columns with type, role (measure, dimension, date, label, other) and examples. ' +
        'Does not need the file to be loaded.',
      idempotent: true,
      input: z.object({ file }),
      execute: async (
        input,
      ): Promise<{
        file: string;
        bytes: number;
        encoding: string;
        columns: InspectedColumn[];
        columnCount: number;
      }> => {
        await using source = await CsvSource.open(fileToLoad({ filesDir, outDir }, input.file));
        const { dialect, columns, sample } = await source.shape();
        const encoding = ENCODING_NAMES[dialect.encoding ?? 'utf-8'];
        const listed = columns.slice(0, LISTED).map((column, i) => inspect(column, i, sample));
        return {
          file: basename(input.file),
          bytes: source.size,
          encoding,
          columns: listed,
          columnCount: columns.length,
        };
      },
    }),

    defineTool({
      name: 'design_queries',
      description:
        'Checks chart specifications against the columns of a file, before it is loaded. Answers what each chart will show, or what is wrong with one.',
      idempotent: true,
      input: z.object({ file, charts: chartSpecs }),
      execute: async (input) => {
        await using source = await CsvSource.open(fileToLoad({ filesDir, outDir }, input.file));
        const planned = planCharts(input.charts, (await source.shape()).columns);
        return {
          charts: planned.map(({ id, title: name, kind, aggregate, x, measure }) => ({
            id,
            title: name,
            kind,
            shows: describe({ aggregate, ...(x ? { x: x.name } : {}), ...(measure ? { measure: measure.name } : {}) }),
          })),
        };
      },
    }),

    defineTool({
      name: 'write_page',
      description:
        'Writes the page with a place for every chart and no numbers yet. For the time while the data is being loaded.',
      idempotent: true,
      input: z.object({ title, file, charts: chartSpecs, page }),
      execute: async (input, ctx) => {
        const path = inSession(ctx, input.page);
        await writeWhole(path, renderSkeleton(input.title, basename(input.file), input.charts));
        return { page: nameIn(outDir, path), finished: false };
      },
    }),

    defineTool({
      name: 'run_queries',
      description:
        'Runs chart specifications on a loaded database, read-only, and keeps the figures in a file for finish_page. Answers the main figures.',
      idempotent: true,
      input: z.object({
        database: z.string().min(1).describe('As the result of load_data names it.'),
        charts: chartSpecs,
      }),
      execute: async (input, ctx) => {
        const figures = await readFigures(inside(outDir, input.database), input.charts, ctx.signal);
        const path = inSession(ctx, `${basename(input.database, extname(input.database))}.figures.json`);
        await writeWhole(path, JSON.stringify(figures));
        const { rows, rejectedRows, rejected, encoding, range, charts } = figures;
        const main = charts.map(({ points, ...chart }) => ({ ...chart, top: points.slice(0, 3) }));
        const reasons = rejected.map(({ reason, rows: n }) => ({ reason, rows: n }));
        return {
          figures: nameIn(outDir, path),
          encoding,
          rows,
          rejectedRows,
          rejected: reasons,
          ...(range ? { range } : {}),
          charts: main,
        };
      },
    }),

    defineTool({
      name: 'finish_page',
      description:
        'Writes the finished page from the figures that run_queries kept. Replaces the page without numbers.',
      idempotent: true,
      input: z.object({ title, figures: z.string().min(1).describe('As the answer of run_queries names it.'), page }),
      execute: async (input, ctx) => {
        const figures = parseFigures(await readFile(inside(outDir, input.figures), 'utf8'));
        const path = inSession(ctx, input.page);
        await writeWhole(path, renderDashboard(input.title, figures));
        return { page: nameIn(outDir, path), path, finished: true, rows: figures.rows, charts: figures.charts.length };
      },
    }),
  ];
}
