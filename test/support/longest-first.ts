/**
 * The order in which files are begun: those that take longest first, as nothing that takes minutes may be left for the end, and those that
 * need no server last, as they fill what is left. Everything else is ordered as it always is.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = join(import.meta.dirname, '../..');

/** Files of a minute and more: those that wait, and between them those that compute. */
const LONGEST = [
  'test/e2e/start.test.ts',
  'test/chaos/worker-lost.test.ts',
  'test/chaos/seeded.test.ts',
  'test/e2e/failures.test.ts',
  'test/e2e/events.test.ts',
  'test/workflow/result.test.ts',
  'test/e2e/cursor.test.ts',
  'test/property/carry.test.ts',
  'test/workflow/parent.test.ts',
  'test/property/domain.test.ts',
  'test/e2e/server.test.ts',
  'test/workflow/end.test.ts',
  'test/chaos/losses.test.ts',
  'test/workflow/faults.test.ts',
  'test/e2e/package.test.ts',
  'test/e2e/cli.test.ts',
].map((file) => join(ROOT, file));

const gone = LONGEST.find((file) => !existsSync(file));
if (gone !== undefined) throw new Error(`Expected the longest test files to be there, but there is no ${gone}.`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ moduleId, project }: TestSpecification): number {
  const place = LONGEST.indexOf(moduleId);
  if (place >= 0) return place;
  return LONGEST.length + (project.config.isolate ? 0 : 1);
}
