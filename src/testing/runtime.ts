/** Temporal's own lines in tests: what is no error only hides the one line that is. */
import { DefaultLogger, Runtime } from '@temporalio/worker';

/** Leaves out its log lines below ERROR, unless the process has installed a runtime of its own before. */
export function quietRuntime(): void {
  try {
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      // What is native prints by itself.
      telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' } } },
    });
  } catch {
    // There is one already.
  }
}
