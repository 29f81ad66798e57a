/** Who paints what is seen: a screen in a terminal, plain lines elsewhere. */
import type { ViewModel } from './render.ts';

export interface Painter {
  /** Shows the present state. */
  update(model: ViewModel): void;
  /** Shows one line about the surroundings, such as a worker that was lost. */
  say(line: string): void;
  /** Leaves the last frame in place. */
  finish(): void;
}
