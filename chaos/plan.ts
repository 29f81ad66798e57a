/** What a chaos run does: for each round its sessions and, in order, what is sent to them and what is done to workers and server. */
import type { RunRequest, SessionInput, SubmitTurnInput } from '../src/client/index.ts';

/** What befalls a worker: `SIGKILL`; `SIGSTOP` and, when its work is somebody else's, `SIGCONT`; `SIGTERM`. */
export type Loss = 'kill' | 'stop' | 'term';
export const LOSSES: readonly Loss[] = ['kill', 'stop', 'term'];

export type Message =
  | { name: 'submitTurn'; argument: SubmitTurnInput & { idempotencyKey: string } }
  | { name: 'startRun'; argument: RunRequest & { runId: string } }
  | { name: 'startRuns'; argument: { runs: (RunRequest & { runId: string })[] } }
  | { name: 'messageRun'; argument: { runId: string; message: string; messageId: string } }
  | { name: 'cancelRun'; argument: { runId: string; cascade?: boolean } }
  | { name: 'cancelTurn'; argument: { reason: string } }
  | { name: 'resetTurns'; argument: { reason: string } };

/** Signals that are stale: repeated, of another epoch, or for what is not there. */
export const FORGERIES = [
  /** The settle of a run that has settled, again and otherwise. */
  'settled again',
  'settled, of another epoch',
  'milestones, of another epoch',
  'request, of another epoch',
  'cancel, of another epoch',
  'message, of another epoch',
  'parent gone, of another epoch',
  'answer to no request',
] as const;
export type Forgery = (typeof FORGERIES)[number];

export type Item =
  | { do: 'send'; session: string; as: 'update' | 'signal'; message: Message; again?: true }
  | { do: 'forge'; session: string; runId: string; forgery: Forgery }
  | { do: 'close'; session: string; runs: 'keep' | 'cancel'; turn: 'cancel' | 'finish' }
  /** `ballast`: a run of the session `ballast`, so that something is under way where it is done. */
  | { do: 'lose'; loss: Loss; ballast: string }
  | { do: 'restart server'; ballast: string };

export interface SessionPlan {
  sessionId: string;
  input: SessionInput;
  /** How it is closed when all is quiet, unless the items have done so. */
  runs: 'keep' | 'cancel';
}

export interface Round {
  seed: number;
  round: number;
  sessions: SessionPlan[];
  ballast: SessionPlan;
  items: Item[];
  /** Runs that are to be started, with those that runs start and those that are ballast. */
  runs: number;
}

/** What is asked for on the command line. */
export interface Wanted {
  seed: number;
  runs: number;
  kills: number;
  restarts: number;
}

/** A line for each session and each item. */
export function shown({ round, sessions, ballast, items, runs }: Round): string {
  return [
    `round ${round}: ${runs} runs, ${sessions.length} sessions`,
    ...[...sessions, ballast].map(({ sessionId, input }) => `  session ${sessionId} ${JSON.stringify(input)}`),
    ...items.map((item) => `  ${line(item)}`),
  ].join('\n');
}

function line(item: Item): string {
  switch (item.do) {
    case 'send':
      return `${item.session} ${item.as} ${item.message.name}${item.again === true ? ' again' : ''} ${JSON.stringify(item.message.argument)}`;
    case 'forge':
      return `${item.session} signal ${item.forgery}: ${item.runId}`;
    case 'close':
      return `${item.session} close, runs: ${item.runs}, turn: ${item.turn}`;
    case 'lose':
      return `worker: ${item.loss}, while it works on ${item.ballast}`;
    case 'restart server':
      return `server: stop and start, during ${item.ballast}`;
    default:
      return item satisfies never;
  }
}
