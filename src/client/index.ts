/** The client, what its methods take and answer, and the failures that they throw. */
export * from '../errors.ts';
export { OutliveClient, type OutliveClientOptions, type StartSessionOptions } from './client.ts';
export type { ListedSession, ListSessions, SessionsPage } from './list-sessions.ts';
export { SessionHandle, type RunTurnInput, type TurnStream } from './session-handle.ts';
export type { TurnPart } from './follow-turn.ts';
export { RunHandle, type InspectedRun } from './run-handle.ts';
export type { EventItem, EventsOptions } from './events.ts';
export type { AnswerInput, RunRequest, RunTurnOptions, SessionInput, SubmitTurnInput, TurnInput } from './inputs.ts';
