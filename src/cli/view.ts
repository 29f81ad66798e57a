/**
 * The live view of a session in a terminal, or plain lines where there is none. `createPainter` chooses between the two; the
 * frame itself is the pure function `renderView`.
 */
import type { Painter } from './view/painter.ts';
import { PlainLog } from './view/plain-log.ts';
import { Screen } from './view/screen.ts';

export interface TerminalLook {
  /** Whether frames can be painted in place; if not, there are plain lines. */
  live: boolean;
  color: boolean;
  unicode: boolean;
}

/**
 * What a stream can show: NO_COLOR, FORCE_COLOR (which wins, as in Node), TERM=dumb and the locale are respected. Without a
 * terminal there is no colour unless it is forced.
 */
export function viewOptions(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): TerminalLook {
  const live = stream.isTTY === true && env['TERM'] !== 'dumb';
  const forced = env['FORCE_COLOR'];
  const color = forced === undefined ? live && (env['NO_COLOR'] ?? '') === '' : forced !== '0' && forced !== 'false';
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  const unicode = env['TERM'] !== 'linux' && (locale === '' || /utf-?8/iu.test(locale));
  return { live, color, unicode };
}

/** Shows the view on a stream, usually the standard output. A stream whose reader has gone shows nothing more and stops nothing. */
export function createPainter(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Painter {
  const look = viewOptions(stream, env);
  stream.on('error', () => undefined);
  return look.live
    ? new Screen(stream, look)
    : new PlainLog((line) => {
        stream.write(`${line}\n`);
      }, look);
}

export type { ViewModel } from './view/model.ts';
export type { Painter } from './view/painter.ts';
export { renderView } from './view/render.ts';
export { savedBanner } from './view/saved.ts';
