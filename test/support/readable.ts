/** What whoever runs the server can read of a thing of its API: all its texts and payloads. Its own `toJSON` would hide payloads as base64. */
export function readable(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, one]) => `${name}: ${readable(one)}`)
    .join('\n');
}
