import type { Row, SessionSnapshot } from './types.ts';
export function sessionDetails(snapshot: SessionSnapshot, _rows: readonly Row[], _now: number): string { return snapshot.status; }
export function runSummary(agent: string, label?: string): string { return label === undefined ? agent : `${agent} · ${label}`; }
