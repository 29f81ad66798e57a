/** What was started, to be stopped in the opposite order, once. */
export class Started {
  private readonly stops: (() => Promise<void> | void)[] = [];

  add(stop: () => Promise<void> | void): void {
    this.stops.unshift(stop);
  }

  async stop(): Promise<void> {
    for (const stop of this.stops.splice(0)) {
      try {
        await stop();
      } catch {
        // It is on its way out; what else was started is to be stopped, too.
      }
    }
  }
}
