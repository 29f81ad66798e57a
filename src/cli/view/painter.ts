/** Who shows the view: a screen in a terminal, plain lines elsewhere. Both take the same model as often as it changes. */
import type { ViewModel } from './model.ts';

export interface Painter {
  /** Shows the present state. */
  update(model: ViewModel): void;
  /** Shows one line about the surroundings, such as a worker that was lost. */
  say(line: string): void;
  /** Leaves what was shown last in place; nothing is shown after it but what is said. */
  finish(): void;
}
