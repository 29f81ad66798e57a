/** Durable agent sessions on Temporal: what an app writes, and the client. The worker is `outlive/worker`. */
export * from './client/index.ts';
export * from './define.ts';
export type {
  Json,
  OutliveEvent,
  Progress,
  Row,
  RunStatus,
  SessionSnapshot,
  TurnStatus,
  UIMessage,
  Usage,
} from './contract.ts';
