/**
 * The lines above the runs: what this is, which session, which model speaks, and the turn with its step and its time. The model
 * note never gives way to anything: who looks must know when nobody thinks.
 */
import type { SessionSnapshot } from '../../contract.ts';
import { stripControl } from '../../domain/state/text.ts';
import type { ViewModel, ViewOptions } from './model.ts';
import { dot, ellipsis, paint, signOf, STATUS } from './style.ts';
import { between } from './time.ts';
import { fit, width } from './width.ts';

export function headerLines({ title, modelNote, snapshot, trouble }: ViewModel, options: ViewOptions): string[] {
  const line = (text: string): string => fit(stripControl(text), options.width, ellipsis(options));
  const about = [snapshot?.sessionId, modelNote]
    .filter((one) => one !== undefined && one !== '')
    .map((one) => stripControl(one ?? ''));
  const together = about.join(dot(options));
  const notes = width(together) <= options.width ? [together] : about;
  return [
    ...(title === '' ? [] : [paint(line(title), 'strong', options)]),
    ...notes.filter((note) => note !== '').map((note) => paint(line(note), 'dim', options)),
    ...(snapshot === null
      ? [line('waiting for the session')]
      : [turnLine(snapshot, options), ...requestLine(snapshot, options)]),
    ...(trouble === undefined ? [] : [paint(line(`! ${trouble}`), 'warn', options)]),
  ];
}

/** The turn; where there is no room, its id is the first to go. */
function turnLine({ status, turn, queue }: SessionSnapshot, options: ViewOptions): string {
  const { tone } = STATUS[status];
  const parts = (withId: boolean): string =>
    stripControl(
      [
        `${signOf(STATUS[status], options)} ${status}`,
        ...(turn === null
          ? []
          : [
              ...(withId ? [`turn ${turn.turnId}`] : []),
              `step ${turn.step}`,
              ...(turn.attempt > 1 ? [`attempt ${turn.attempt}`] : []),
              ...(turn.recovering ? ['recovering'] : []),
              between(turn.startedAt, options.now),
            ]),
        ...(queue.length === 0 ? [] : [`${queue.length} queued`]),
      ]
        .filter((part) => part !== '')
        .join(dot(options)),
    );
  const text = width(parts(true)) <= options.width ? parts(true) : parts(false);
  return paint(fit(text, options.width, ellipsis(options)), turn?.recovering === true ? 'warn' : tone, options);
}

function requestLine({ requests }: SessionSnapshot, options: ViewOptions): string[] {
  const [first] = requests;
  if (first === undefined) return [];
  const others = requests.length === 1 ? '' : ` (and ${requests.length - 1} more)`;
  const text = `? ${first.kind} ${first.requestId}${others}${first.question === undefined ? '' : `: ${first.question}`}`;
  return [paint(fit(stripControl(text), options.width, ellipsis(options)), 'warn', options)];
}
