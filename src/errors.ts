/**
 * The failures of the contract. Expected outcomes are values; what is refused or cannot be done has one of these types.
 * The names are Temporal `ApplicationFailure` types on the wire and classes in the client: match by `type` or `instanceof`,
 * never by message.
 */

import { ERROR_TYPES, type ErrorType } from './domain/state/types.ts';

export { ERROR_TYPES, type ErrorType };

/** One sentence for a person, one `type` for a program. Every refusal and failure of this package is one of these. */
export class OutliveError extends Error {
  readonly type: ErrorType;

  constructor(type: ErrorType, message: string) {
    super(message);
    this.type = type;
    this.name = type;
  }
}

/** A field is missing, of a wrong type, too long, or names something that cannot be. */
export class InvalidInput extends OutliveError {
  constructor(message: string) {
    super('InvalidInput', message);
  }
}
/** No agent, task or workflow type of that name is registered with the worker. */
export class UnknownAgent extends OutliveError {
  constructor(message: string) {
    super('UnknownAgent', message);
  }
}
/** This session has no record of a run of that id. */
export class UnknownRun extends OutliveError {
  constructor(message: string) {
    super('UnknownRun', message);
  }
}
/** This session has no record of a turn of that id, or no turn is running. */
export class UnknownTurn extends OutliveError {
  constructor(message: string) {
    super('UnknownTurn', message);
  }
}
/** This session has no record of a request of that id. */
export class UnknownRequest extends OutliveError {
  constructor(message: string) {
    super('UnknownRequest', message);
  }
}
/** No handler of that name is registered with the worker. */
export class UnknownHandler extends OutliveError {
  constructor(message: string) {
    super('UnknownHandler', message);
  }
}
/** The key or id was used before with another payload. */
export class IdempotencyConflict extends OutliveError {
  constructor(message: string) {
    super('IdempotencyConflict', message);
  }
}
/** The run has settled, so that it takes no more messages. */
export class RunSettled extends OutliveError {
  constructor(message: string) {
    super('RunSettled', message);
  }
}
/** The turn queue or the bytes that may wait in it are full. */
export class QueueFull extends OutliveError {
  constructor(message: string) {
    super('QueueFull', message);
  }
}
/** No place and no queue place is left for another run. */
export class RunLimitExceeded extends OutliveError {
  constructor(message: string) {
    super('RunLimitExceeded', message);
  }
}
/** Runs may not be nested that deep. */
export class DepthExceeded extends OutliveError {
  constructor(message: string) {
    super('DepthExceeded', message);
  }
}
/** A turn would wait for its own session. */
export class NestedTurn extends OutliveError {
  constructor(message: string) {
    super('NestedTurn', message);
  }
}
/** A turn runs or waits: the transcript can be rewound between turns only. */
export class TurnRunning extends OutliveError {
  constructor(message: string) {
    super('TurnRunning', message);
  }
}
/** A call that must not run twice has perhaps been made: its worker was lost, or it took too long. */
export class OutcomeUnknown extends OutliveError {
  constructor(message: string) {
    super('OutcomeUnknown', message);
  }
}
/** An agent with `output` has ended without `report_result`, also when it was asked once more. */
export class ResultMissing extends OutliveError {
  constructor(message: string) {
    super('ResultMissing', message);
  }
}
/** A person has rejected a call; read by the model as the error of the call. */
export class ApprovalRejected extends OutliveError {
  constructor(message: string) {
    super('ApprovalRejected', message);
  }
}
/** Nobody has decided on a call within `budgets.requestTtlMs`; read by the model as the error of the call. */
export class ApprovalExpired extends OutliveError {
  constructor(message: string) {
    super('ApprovalExpired', message);
  }
}
/** The request to approve a call was withdrawn, as its turn has ended or its session closes; read by the model as the error of the call. */
export class ApprovalWithdrawn extends OutliveError {
  constructor(message: string) {
    super('ApprovalWithdrawn', message);
  }
}
/** The session is closing or closed. */
export class SessionClosed extends OutliveError {
  constructor(message: string) {
    super('SessionClosed', message);
  }
}
/** Temporal cannot carry a result of that size (2 MiB). */
export class ResultTooLarge extends OutliveError {
  constructor(message: string) {
    super('ResultTooLarge', message);
  }
}
/** The model stopped producing and did so again in every retry. */
export class ModelStalled extends OutliveError {
  constructor(message: string) {
    super('ModelStalled', message);
  }
}
/** The answer of the model broke off, or was none, and was so again in every retry. */
export class ModelBroken extends OutliveError {
  constructor(message: string) {
    super('ModelBroken', message);
  }
}
/** The model's provider refused, could not be reached, or cannot be asked: in every retry, or for good. */
export class ProviderError extends OutliveError {
  constructor(message: string) {
    super('ProviderError', message);
  }
}
/** A budget of steps, time or tokens is used up; the message names which. */
export class BudgetExceeded extends OutliveError {
  constructor(message: string) {
    super('BudgetExceeded', message);
  }
}
/** It lost so many workers in a row, without progress between, that it is not tried again (`limits.maxLosses`). */
export class WorkerLost extends OutliveError {
  constructor(message: string) {
    super('WorkerLost', message);
  }
}
/**
 * The place to read on from is none any more: it is of an earlier session of this id, its event was rewritten by a reset, or the
 * log never came so far.
 */
export class StaleCursor extends OutliveError {
  /** Where to read on: a number or a cursor for `events({ after })`, 0 when nothing of what was read stands. */
  readonly after: number | string;

  constructor(message: string, after: number | string = 0) {
    super('StaleCursor', message);
    this.after = after;
  }
}
/** The run has completed, and retention has taken its result. */
export class ResultGone extends OutliveError {
  constructor(message: string) {
    super('ResultGone', message);
  }
}
/** No worker has answered within 30 s, and none polls the task queue. */
export class NoWorker extends OutliveError {
  /** True when what was asked for has been recorded all the same, and is done once there is a worker. */
  readonly started: boolean;

  constructor(message: string, started = false) {
    super('NoWorker', message);
    this.started = started;
  }
}
/** A session of this id is open, and `ifExists` is not `use`. */
export class SessionExists extends OutliveError {
  constructor(message: string) {
    super('SessionExists', message);
  }
}
/**
 * What is needed cannot be reached now; sending the same again later is safe. So it is where the namespace does not exist: nothing was done, and
 * a namespace that was just made is found some seconds later.
 */
export class Unavailable extends OutliveError {
  constructor(message: string) {
    super('Unavailable', message);
  }
}

/** No session has this id, or none any more that Temporal keeps; or the id is that of another workflow. */
export class UnknownSession extends OutliveError {
  constructor(message: string) {
    super('UnknownSession', message);
  }
}
/** Who asks is not known to the server. */
export class Unauthorized extends OutliveError {
  constructor(message: string) {
    super('Unauthorized', message);
  }
}
/** Who asks may not. */
export class Forbidden extends OutliveError {
  constructor(message: string) {
    super('Forbidden', message);
  }
}
/** Neither what was asked for nor the server's being away is the reason; its `cause` says more. */
export class Internal extends OutliveError {
  constructor(message: string) {
    super('Internal', message);
  }
}

/** Thrown by `RunHandle.result()` for a run that settled as `failed` or `cancelled`. */
export class RunFailed extends OutliveError {
  readonly status: 'failed' | 'cancelled';
  readonly reason: string | undefined;
  readonly error: { type: string; message: string } | undefined;

  constructor(status: 'failed' | 'cancelled', reason?: string, error?: { type: string; message: string }) {
    super(
      'RunFailed',
      `The run ${status === 'failed' ? 'failed' : 'was cancelled'}${reason ? ` (${reason})` : ''}${error ? `: ${error.message}` : ''}`,
    );
    this.status = status;
    this.reason = reason;
    this.error = error;
  }
}

const classes: Record<ErrorType, (message: string) => OutliveError> = {
  InvalidInput: (m) => new InvalidInput(m),
  UnknownAgent: (m) => new UnknownAgent(m),
  UnknownRun: (m) => new UnknownRun(m),
  UnknownTurn: (m) => new UnknownTurn(m),
  UnknownRequest: (m) => new UnknownRequest(m),
  UnknownHandler: (m) => new UnknownHandler(m),
  IdempotencyConflict: (m) => new IdempotencyConflict(m),
  RunSettled: (m) => new RunSettled(m),
  RunFailed: (m) => new OutliveError('RunFailed', m),
  QueueFull: (m) => new QueueFull(m),
  RunLimitExceeded: (m) => new RunLimitExceeded(m),
  DepthExceeded: (m) => new DepthExceeded(m),
  NestedTurn: (m) => new NestedTurn(m),
  TurnRunning: (m) => new TurnRunning(m),
  OutcomeUnknown: (m) => new OutcomeUnknown(m),
  ResultMissing: (m) => new ResultMissing(m),
  ApprovalRejected: (m) => new ApprovalRejected(m),
  ApprovalExpired: (m) => new ApprovalExpired(m),
  ApprovalWithdrawn: (m) => new ApprovalWithdrawn(m),
  SessionClosed: (m) => new SessionClosed(m),
  ResultTooLarge: (m) => new ResultTooLarge(m),
  ModelStalled: (m) => new ModelStalled(m),
  ModelBroken: (m) => new ModelBroken(m),
  ProviderError: (m) => new ProviderError(m),
  BudgetExceeded: (m) => new BudgetExceeded(m),
  WorkerLost: (m) => new WorkerLost(m),
  StaleCursor: (m) => new StaleCursor(m),
  ResultGone: (m) => new ResultGone(m),
  NoWorker: (m) => new NoWorker(m),
  SessionExists: (m) => new SessionExists(m),
  Unavailable: (m) => new Unavailable(m),
  UnknownSession: (m) => new UnknownSession(m),
  Unauthorized: (m) => new Unauthorized(m),
  Forbidden: (m) => new Forbidden(m),
  Internal: (m) => new Internal(m),
};

export function isErrorType(type: unknown): type is ErrorType {
  return typeof type === 'string' && (ERROR_TYPES as readonly string[]).includes(type);
}

/** The class for a failure type read from the wire. */
export function errorOfType(type: ErrorType, message: string): OutliveError {
  return classes[type](message);
}
