/**
 * The official download of the Temporal CLI. It gives up early: where only package registries can be reached, this way must not cost
 * the person who waits more than a few seconds.
 */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CLI_VERSION } from './release.ts';
import { run } from './run.ts';

const ANSWER_WITHIN_MS = 5_000;
const NO_DATA_FOR_MS = 20_000;
const UNPACK_WITHIN_MS = 120_000;
const MEGABYTE = 2 ** 20;

export function officialUrl(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  return `https://temporal.download/cli/archive/v${CLI_VERSION}?platform=${process.platform}&arch=${arch}`;
}

/** Fetches the archive into `folder` and returns the path of the binary in it. */
export async function download(url: string, folder: string, say: (line: string) => void): Promise<string> {
  const archive = join(folder, 'archive.tar.gz');
  const silence = new AbortController();
  let timer = setTimeout(
    () => silence.abort(new Error(`no answer within ${ANSWER_WITHIN_MS / 1000} s`)),
    ANSWER_WITHIN_MS,
  );
  try {
    const response = await fetch(url, { signal: silence.signal });
    if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error(`no data for ${NO_DATA_FOR_MS / 1000} s`)), NO_DATA_FOR_MS);
    const progress = reporter(Number(response.headers.get('content-length') ?? 0), say);
    async function* watched(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        timer.refresh();
        progress(chunk.length);
        yield chunk;
      }
    }
    await pipeline(Readable.fromWeb(response.body), watched, createWriteStream(archive));
  } finally {
    clearTimeout(timer);
  }
  await run('tar', ['-xzf', archive, '-C', folder, 'temporal'], process.env, UNPACK_WITHIN_MS);
  return join(folder, 'temporal');
}

/** Says where the download stands at every quarter, or every ten megabytes when its size is not known. */
function reporter(total: number, say: (line: string) => void): (bytes: number) => void {
  const step = total > 0 ? total / 4 : 10 * MEGABYTE;
  let received = 0;
  let said = 0;
  return (bytes) => {
    received += bytes;
    if (Math.floor(received / step) === said) return;
    said = Math.floor(received / step);
    const size = `${Math.round(received / MEGABYTE)}`;
    say(total > 0 ? `Downloaded ${size} of ${Math.round(total / MEGABYTE)} MB.` : `Downloaded ${size} MB.`);
  };
}
