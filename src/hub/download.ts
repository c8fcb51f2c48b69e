// One file of the hub into the cache. What arrives goes to ETAG.incomplete; a connection that breaks is taken up again where it broke,
// in this process or by the next one. A file gets its name only once its hash is right.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { LdlmError } from '../api/errors.js';
import { ioError } from '../data/io_error.js';
import { authorization, HubUnreachable, refused, type RemoteFile, request } from './hub_api.js';

/** Attempts in a row that brought nothing before it is given up; the pause between them doubles. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 250;

export interface DownloadOptions {
  /** Called with the bytes that are there, those of an earlier attempt included. */
  onBytes?: (bytes: number) => void;
  signal?: AbortSignal;
}

/**
 * Downloads `file` to `blob`.
 * @throws LdlmError ERR_LDLM_IO if the connection keeps breaking (what came is kept) or the bytes are not those that the hub announced
 */
export async function download(file: RemoteFile, blob: string, options: DownloadOptions = {}): Promise<void> {
  const incomplete = `${blob}.incomplete`;
  await mkdir(dirname(blob), { recursive: true }).catch(ioError(dirname(blob), 'a folder that can be written'));
  let have = await sizeOf(incomplete);
  for (let failures = 0; have !== file.bytes; ) {
    const broken = await receive(file, incomplete, options);
    const now = await sizeOf(incomplete);
    failures = now > have && now <= file.bytes ? 0 : failures + 1;
    have = now;
    if (have === file.bytes) break;
    if (failures === ATTEMPTS) {
      throw new LdlmError(
        'ERR_LDLM_IO',
        `${file.path} must arrive whole (${file.bytes} bytes), got ${have}: ${String(broken ?? 'the server ended too early')}. They are kept; run the command again to go on from there`,
        { cause: broken },
      );
    }
    await pause(failures === 0 ? 0 : FIRST_PAUSE_MS * 2 ** (failures - 1), undefined, options.signal && { signal: options.signal });
  }
  const hash = await hashOf(incomplete, file);
  if (hash !== file.etag) {
    await rm(incomplete, { force: true });
    throw new LdlmError('ERR_LDLM_IO', `${file.path} must have the hash ${file.etag} that the hub announced, got ${hash}: it was damaged on the way, and is deleted. Run the command again`);
  }
  await rename(incomplete, blob);
}

/** Appends what is missing. Returns the error that ended the connection early, if one did. */
async function receive(file: RemoteFile, incomplete: string, { onBytes, signal }: DownloadOptions): Promise<unknown> {
  const kept = await sizeOf(incomplete);
  const from = kept > file.bytes ? 0 : Math.max(0, kept);
  const range: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
  let answer: Response;
  try {
    answer = await request(file.url, { headers: { ...authorization(), ...range, 'accept-encoding': 'identity' }, ...(signal && { signal }) });
  } catch (error) {
    if (error instanceof HubUnreachable) return error;
    throw error;
  }
  if (answer.status >= 500 || answer.status === 429) return `status ${answer.status}`;
  if (answer.status >= 400) throw refused(answer.status, file.path);
  // The server may not know ranges, or not like this one: it begins anew, and so do we.
  const goesOn = answer.status === 206 && answer.headers.get('content-range')?.startsWith(`bytes ${from}-`) === true;
  const target = await open(incomplete, goesOn ? 'a' : 'w').catch(ioError(incomplete, 'a file that can be written'));
  try {
    let have = goesOn ? from : 0;
    for await (const chunk of answer.body ?? []) {
      await target.writeFile(chunk).catch(ioError(incomplete, 'a file that can be written'));
      onBytes?.((have += chunk.byteLength));
    }
    await target.sync();
    return undefined;
  } catch (error) {
    if (error instanceof LdlmError || signal?.aborted) throw error;
    return (error as Error).cause ?? error; // the connection broke
  } finally {
    await target.close();
  }
}

/** SHA-256, or git's hash of a blob, as the etag of the file has it. */
async function hashOf(path: string, { etag, bytes }: RemoteFile): Promise<string> {
  const hash = etag.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** -1 if there is no such file. */
export function sizeOf(path: string): Promise<number> {
  return stat(path).then((entry) => entry.size, () => -1);
}
