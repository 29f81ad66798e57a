/**
 * What the worker evaluates once for all workflows, because no module of it has a state of its own; all else it evaluates anew for
 * each. A bundle that is made without it does the same, at a cost of some milliseconds a run.
 *
 * It also turns off stack traces in workflow code: the SDK takes one of every promise, which is a third of what a workflow costs its worker.
 * The worker turns them on again when it is told to, see `STACKS_GLOBAL`.
 */
import { STACKS_GLOBAL } from '../src/contract.ts';
import '../src/domain/advance.ts';
import '../src/domain/carry/carry.ts';
import '../src/domain/carry/log-size.ts';
import '../src/domain/view/details.ts';
import '../src/domain/view/queries.ts';
import '../src/schemas/index.ts';

Error.stackTraceLimit = Number((globalThis as Record<string, unknown>)[STACKS_GLOBAL] ?? 0);
