/** Events as lines for people, in the words of the contract. */
import { plain } from '../../domain/text.ts';
import type { OutliveEvent, UIMessage } from '../../contract.ts';

/** `mark` says what kind of line it is; the view gives it its colour. */
export interface FeedItem { at: string; mark: 'turn' | 'say' | 'tool' | 'run' | 'milestone' | 'hand-over' | 'done' | 'trouble'; text: string }

/** One line for an event, or null for those that people need not see. */
export function feedOf(event: OutliveEvent): FeedItem | null {
  const item = (mark: FeedItem['mark'], text: string): FeedItem => ({ at: event.at, mark, text: plain(text) });
  const { agent = 'run', label, reason } = event as { agent?: string; label?: string; reason?: string };
  const run = label === undefined ? agent : `${agent} · ${label}`;
  const why = reason === undefined ? '' : ` (${reason})`;
  switch (event.type) {
    case 'turn.started': return item('turn', `turn ${event.turnId ?? ''} begins`);
    case 'turn.completed': return item('turn', `turn ${event.turnId ?? ''} completed`);
    case 'turn.failed': return item('trouble', `turn ${event.turnId ?? ''} failed: ${(event['error'] as { message?: string } | undefined)?.message ?? ''}`);
    case 'turn.cancelled': case 'turn.skipped': return item('trouble', `turn ${event.turnId ?? ''} ${event.type.slice(5)}${why}`);
    case 'message.added': return messageLine(event['message'] as UIMessage, item);
    case 'run.queued': return null;
    case 'run.started': return item('run', `${run} runs in the background; the turn goes on`);
    case 'run.milestone': return item('milestone', `${String(event['name'])} reached by ${event.runId ?? ''}`);
    case 'run.settled': return item(event['status'] === 'completed' ? 'done' : 'trouble', `${run} ${String(event['status'])}${why}`);
    case 'run.gave_up': return item('trouble', `gave up on ${run}${why}`);
    case 'run.cancel_requested': return item('run', `${run} is asked to cancel${why}`);
    case 'run.delivered': return item('hand-over', `hand-over: what became of ${run} is now the input of turn ${event.turnId ?? ''}`);
    case 'input.refused': return item('trouble', `refused: ${String(event['message'])}`);
    default: return null;
  }
}

function messageLine(message: UIMessage, item: (mark: FeedItem['mark'], text: string) => FeedItem): FeedItem | null {
  if (message.metadata?.['hidden'] === true) return null;
  const text = message.parts.filter((part) => part.type === 'text').map((part) => String(part['text'])).join(' ').trim();
  const tools = message.parts.filter((part) => typeof part['toolCallId'] === 'string').map((part) => part.type.replace(/^tool-/u, ''));
  if (message.role === 'user') return item('say', `user: ${text}`);
  if (tools.length > 0) return item('tool', `${tools.join(', ')}${text === '' ? '' : ` — ${text}`}`);
  return text === '' ? null : item('say', text);
}
