/** Whatever is to be shown, no line is wider than the terminal and nothing but our own colours controls it. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderView } from '../../src/cli/view.ts';
import { width } from '../../src/cli/view/width.ts';
import type { Row } from '../../src/contract.ts';
import { cutBytes, escapeMarkdown, stripControl, truncate } from '../../src/domain/state/text.ts';

const text = fc.string({ unit: 'binary', maxLength: 80 });
const rows = fc.array(
  fc.record({
    agent: text,
    label: fc.option(text, { nil: undefined }),
    status: fc.constantFrom('queued', 'running', 'completed', 'failed', 'cancelled', 'interrupted'),
    reason: fc.option(text, { nil: undefined }),
    progress: fc.option(
      fc.record({
        fraction: fc.double({ min: 0, max: 1, noNaN: true }),
        phase: text,
        message: text,
        n: fc.nat(),
        at: fc.constant(''),
      }),
      { nil: undefined },
    ),
    delivery: fc.record({
      finish: fc.record({ state: fc.constantFrom('pending', 'queued', 'delivered', 'not_required') }),
    }),
    createdAt: fc.constant('2026-01-01T00:00:00.000Z'),
    milestones: fc.array(fc.record({ n: fc.nat(), name: text, at: fc.constant('') }), { maxLength: 5 }),
  }),
  { maxLength: 12 },
);

// oxlint-disable-next-line no-control-regex -- what a terminal acts on, and the view may send.
const COLOURS = /\u001b\[(?:0|1|2|3[1-6]|1;32)m/gu;

test('no line but an address is wider than the terminal, and there are no more rows than it has', () => {
  fc.assert(
    fc.property(
      rows,
      fc.array(text, { maxLength: 20 }),
      text,
      fc.integer({ min: 20, max: 200 }),
      fc.integer({ min: 6, max: 60 }),
      fc.boolean(),
      fc.boolean(),
      (given, feed, title, columns, height, color, unicode) => {
        const lines = renderView(
          {
            title,
            modelNote: title,
            snapshot: null,
            rows: given as unknown as Row[],
            feed: feed.map((line) => ({
              at: '2026-01-01T00:00:00.000Z',
              mark: 'say',
              text: line.replaceAll(/\p{Cc}/gu, ' '),
            })),
            links: [{ label: 'a', url: title }],
          },
          { width: columns, height, color, unicode, now: 0 },
        );
        const address = stripControl(title);
        const rowsOf = (line: string): number => Math.max(1, Math.ceil(width(line) / (columns + 1)));
        expect(lines.reduce((sum, line) => sum + rowsOf(line), 0)).toBeLessThanOrEqual(height);
        for (const line of lines) {
          if (line !== address) expect(width(line)).toBeLessThanOrEqual(columns);
          const uncoloured = line.replaceAll(color ? COLOURS : /(?!)/gu, '');
          expect(uncoloured).not.toMatch(/\p{Cc}/u);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('text from outside is one line, keeps its letters, and has nothing that Markdown, HTML or a terminal would act on', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 40 }), (given, most) => {
      const shown = escapeMarkdown(given);
      // oxlint-disable-next-line no-control-regex -- what is looked for.
      expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e<>|`*[\]\\]/u);
      expect(shown.replaceAll(/&#(\d+);/gu, (_, code: string) => String.fromCodePoint(Number(code)))).toBe(
        stripControl(given).trim(),
      );
      expect(Array.from(truncate(given, most)).length).toBeLessThanOrEqual(most);
      expect(Buffer.byteLength(cutBytes(stripControl(given), most))).toBeLessThanOrEqual(most);
    }),
    { numRuns: 500 },
  );
});
