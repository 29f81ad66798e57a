/** The live view of a session in a terminal, or plain lines where there is none. */
import type { Painter } from './view/painter.ts';
import { PlainLog } from './view/plain-log.ts';
import { Screen } from './view/screen.ts';

/** Colours and signs that the terminal has: NO_COLOR, FORCE_COLOR, TERM and the locale are respected. */
export function viewOptions(env: NodeJS.ProcessEnv): { color: boolean; unicode: boolean } {
  const color = env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0' ? true : (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const locale = env['LC_ALL'] ?? env['LC_CTYPE'] ?? env['LANG'] ?? '';
  return { color, unicode: !/^(C|POSIX)$/u.test(locale) || /utf-?8/iu.test(locale) };
}

export function createPainter(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Painter {
  if (!stream.isTTY || env['TERM'] === 'dumb') return new PlainLog((line) => { stream.write(`${line}\n`); });
  return new Screen(stream, viewOptions(env));
}

export type { Painter } from './view/painter.ts';
export { renderView, savedBanner, type ViewModel } from './view/render.ts';
