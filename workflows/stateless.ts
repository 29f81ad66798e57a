/**
 * What the worker evaluates once for all workflows, because no module of it has a state of its own; all else it evaluates anew for
 * each. A bundle that is made without it does the same, at a cost of some milliseconds a run.
 */
import '../src/domain/advance.ts';
import '../src/domain/carry/carry.ts';
import '../src/domain/carry/log-size.ts';
import '../src/domain/view/details.ts';
import '../src/domain/view/queries.ts';
import '../src/schemas/index.ts';
