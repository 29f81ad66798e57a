import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

const common = { pool: 'forks', testTimeout: 120_000, hookTimeout: 120_000 } as const;
/** Pure code, which needs no process of its own for each file. */
const PURE = ['test/unit/domain-*.test.ts', 'test/property/**/*.test.ts'];

/** A workflow task has ten seconds, whatever else the machine does: what fills one is tried when nothing else runs. */
const ALONE = ['test/workflow/backlog.test.ts'];

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    // One more than a small machine has cores: most files wait for timers and processes as long as they work.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/support/closing-line.ts'],
    projects: [
      // They only compute: how long that takes is up to whatever else the machine does.
      { test: { ...common, name: 'pure', include: PURE, isolate: false, testTimeout: 300_000 } },
      { test: { ...common, name: 'real', include: ['test/**/*.test.ts'], exclude: [...PURE, ...ALONE] } },
      { test: { ...common, name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
