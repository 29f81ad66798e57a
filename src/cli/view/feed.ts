/**
 * Events as lines for people, in the words of the contract: one line each, or none for what people need not see. An event names
 * a run by its id where it carries no name; `runId` lets the view put the name in its place.
 */
import type { OutliveEvent, UIMessage } from '../../contract.ts';
import { stripControl, truncate } from '../../domain/state/text.ts';
import { nameOf } from './model.ts';

/** `mark` says what kind of line it is; the view gives it its sign and colour. */
export interface FeedItem {
  at: string;
  mark: 'turn' | 'say' | 'tool' | 'run' | 'milestone' | 'hand-over' | 'done' | 'trouble';
  text: string;
  runId?: string;
}

type Line = readonly [mark: FeedItem['mark'], text: string] | null;

const MOST = 2000;

/** Reads events in their order, so that a run has its name also in events that carry only its id. */
export class FeedReader {
  private readonly runs = new Map<string, { agent?: unknown; label?: unknown }>();

  /** One line for an event, or null. */
  read(event: OutliveEvent): FeedItem | null {
    const { runId } = event;
    const known = runId === undefined ? undefined : this.runs.get(runId);
    if (runId !== undefined && (event['agent'] !== undefined || event['label'] !== undefined))
      this.runs.set(runId, { ...known, ...definedOf(event) });
    const item = feedOf(runId === undefined ? event : { ...this.runs.get(runId), ...definedOf(event), ...event });
    return item === null ? null : { ...item, text: this.named(item.text) };
  }

  /** What a model says of a run names it by its id. */
  private named(text: string): string {
    let named = text;
    for (const [runId, { agent, label }] of this.runs) {
      if (typeof agent !== 'string' || !named.includes(runId)) continue;
      named = named.replaceAll(runId, () => nameOf({ agent, label: typeof label === 'string' ? label : undefined }));
    }
    return named;
  }
}

function definedOf({ agent, label }: OutliveEvent): { agent?: unknown; label?: unknown } {
  return { ...(agent === undefined ? {} : { agent }), ...(label === undefined ? {} : { label }) };
}

/** One line for an event, or null. Types that it does not know have none. */
export function feedOf(event: OutliveEvent): FeedItem | null {
  const line = Object.hasOwn(LINES, event.type) ? LINES[event.type]?.(event) : undefined;
  if (line === undefined || line === null) return null;
  const item: FeedItem = { at: event.at, mark: line[0], text: truncate(stripControl(line[1]), MOST) };
  return event.runId === undefined ? item : { ...item, runId: event.runId };
}

function field(event: OutliveEvent, name: string): string | undefined {
  const value = event[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function run(event: OutliveEvent): string {
  const agent = field(event, 'agent');
  return agent === undefined ? (event.runId ?? 'the run') : nameOf({ agent, label: field(event, 'label') });
}

function turn(event: OutliveEvent): string {
  return `turn ${event.turnId ?? ''}`.trim();
}

/** Reason, comment and error, whatever there is of them. */
function why(event: OutliveEvent): string {
  const reason = field(event, 'reason');
  const said = field((event['error'] ?? {}) as OutliveEvent, 'message') ?? field(event, 'comment');
  return `${reason === undefined ? '' : ` (${reason})`}${said === undefined || said === '' ? '' : `: ${said}`}`;
}

function settled(event: OutliveEvent): Line {
  const status = field(event, 'status') ?? 'settled';
  return [status === 'completed' ? 'done' : 'trouble', `${run(event)} ${status}${why(event)}`];
}

/** The moment in which what became of a run is the input of a turn; without a turn it stands in the transcript. */
function delivered(event: OutliveEvent): Line {
  const milestone = /:milestone:(.*)$/u.exec(field(event, 'key') ?? '')?.[1];
  const kind = field(event, 'kind');
  const what =
    kind === 'gave-up'
      ? `giving up on ${run(event)}`
      : milestone !== undefined && kind === 'milestone'
        ? `milestone ${milestone} of ${run(event)}`
        : `what became of ${run(event)}`;
  return event.turnId === undefined
    ? ['run', `${what} stands in the transcript`]
    : ['hand-over', `hand-over: ${what} is now the input of ${turn(event)}`];
}

function message(event: OutliveEvent): Line {
  const { role, parts = [], metadata } = (event['message'] ?? {}) as Partial<UIMessage>;
  if (metadata?.['hidden'] === true) return null;
  const text =
    parts
      .filter((part) => part.type === 'text')
      .map((part) => String(part['text']))
      .join('\n')
      .trim()
      .split(/[\r\n]/u)[0] ?? '';
  const tools = parts
    .filter((part) => typeof part['toolCallId'] === 'string')
    .map((part) => (typeof part['toolName'] === 'string' ? part['toolName'] : part.type.replace(/^tool-/u, '')));
  if (role === 'user') return ['say', `user: ${text}`];
  if (metadata?.['source'] === 'background-run') return ['run', text];
  if (tools.length > 0) return ['tool', `${tools.join(', ')}${text === '' ? '' : ` — ${text}`}`];
  return text === '' ? null : ['say', text];
}

const LINES: Record<string, (event: OutliveEvent) => Line> = {
  'session.closed': (event) => ['turn', `session closed${why(event)}`],
  'turn.joined': (event) => ['turn', `an input joined ${turn(event)}`],
  'turn.started': (event) => ['turn', `${turn(event)} started`],
  'turn.completed': (event) => ['turn', `${turn(event)} completed`],
  'turn.failed': (event) => ['trouble', `${turn(event)} failed${why(event)}`],
  'turn.cancelled': (event) => ['trouble', `${turn(event)} cancelled${why(event)}`],
  'turn.skipped': (event) => ['turn', `${turn(event)} skipped${why(event)}`],
  'message.added': message,
  'run.started': (event) => [
    'run',
    `${run(event)} started in the background${event.turnId === undefined ? '' : ', the turn goes on'}`,
  ],
  'run.milestone': (event) => ['milestone', `${run(event)}: ${field(event, 'name') ?? ''}`],
  'run.input_required': (event) => ['run', `${run(event)} waits for an answer`],
  'run.resumed': (event) => ['run', `${run(event)} goes on`],
  'run.detached': (event) => ['run', `${run(event)} goes on in the background${why(event)}`],
  'run.cancel_requested': (event) => ['run', `${run(event)} is asked to cancel${why(event)}`],
  'run.gave_up': (event) => ['trouble', `gave up on ${run(event)}${why(event)}; it may still settle`],
  'run.settled': settled,
  'run.delivered': delivered,
  'request.opened': (event) => ['trouble', `request ${field(event, 'requestId') ?? ''} waits for an answer`],
  'request.answered': (event) => [
    'turn',
    `request ${field(event, 'requestId') ?? ''} ${field(event, 'status') ?? 'answered'}`,
  ],
  'handler.failed': (event) => ['trouble', `handler ${field(event, 'handler') ?? ''} failed${why(event)}`],
  'notice.suspended': (event) => ['trouble', `notice ${field(event, 'key') ?? ''} could not be sent yet`],
  'input.refused': (event) => [
    'trouble',
    `refused${event['name'] === '' ? '' : ` ${field(event, 'name') ?? ''}`}: ${field(event, 'message') ?? ''}`,
  ],
  'log.truncated': (event) => ['trouble', `events before ${field(event, 'firstSeq') ?? 'this one'} are no longer kept`],
};
