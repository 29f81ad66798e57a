/**
 * Files that are looked at for changes. They are asked for, for none tells of a file that is not there yet, or whose folder was away for a while.
 */
import { unwatchFile, watchFile } from 'node:fs';

const LOOK_MS = 200;

export class WatchedFiles {
  private readonly files = new Set<string>();
  private hear: (file: string) => void = () => undefined;

  /** Also one that is not there. */
  add(file: string): void {
    if (this.files.has(file)) return;
    this.files.add(file);
    watchFile(file, { interval: LOOK_MS }, (now, before) => {
      // Of one that is not there it is told once at the beginning.
      if (now.ino !== 0 || before.ino !== 0) this.hear(file);
    });
  }

  /** When one has been written, made or removed. */
  onChange(hear: (file: string) => void): void {
    this.hear = hear;
  }

  close(): void {
    for (const file of this.files) unwatchFile(file);
  }
}
