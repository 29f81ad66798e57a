/** What an app throws can be anything, such as an object whose fields throw when they are read. */

/** The same, if it can be read and its name is text; else an error that says so. */
export function readable(thrown: unknown): unknown {
  try {
    if (!(thrown instanceof Error)) {
      String(thrown);
      return thrown;
    }
    const { name, message, cause } = thrown as { name: unknown; message: unknown; cause?: unknown };
    if (typeof name === 'string' && typeof message === 'string') return thrown;
    return new Error(String(message), { cause });
  } catch {
    return new Error('Something was thrown that cannot be read.');
  }
}
