// The questions that are put to the hub: which commit and files a model has, and what a file is called in the cache. The first is
// @huggingface/hub's; its own download neither resumes nor checks what it got, so the rest is here and in download.ts.

import { LdlmError } from '../api/errors.js';
import { cacheFolder, isCommit, type ModelId } from './cache.js';

/** A file of the hub, and what its bytes must be. */
export interface RemoteFile {
  path: string;
  url: string;
  bytes: number;
  /** SHA-256 of a file in large-file storage, else git's SHA-1 of it; also its name in the cache. */
  etag: string;
}

/** Where the hub is: HF_ENDPOINT, else huggingface.co. */
export function endpoint(): string {
  return (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
}

/** True if the environment forbids to ask the hub. */
export function isOffline(): boolean {
  return /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? '');
}

/** The hub cannot be asked, or is in no state to answer: what is in the cache may do instead. */
export class HubUnreachable extends Error {}

/** The commit that the revision stands for now, and the names of all files. */
export async function askModel({ name, revision }: ModelId): Promise<{ commit: string; files: string[] }> {
  const { modelInfo } = await import('@huggingface/hub').catch((cause: unknown) => {
    throw new HubUnreachable("the package '@huggingface/hub', which fetches models, is not installed (npm install @huggingface/hub)", { cause });
  });
  const token = process.env.HF_TOKEN;
  try {
    const { sha, filePaths } = await modelInfo({
      name,
      revision,
      hubUrl: endpoint(),
      additionalFields: ['sha', 'filePaths'],
      fetch: request as typeof fetch,
      ...(token && { accessToken: token }),
    });
    if (!isCommit(sha) || !Array.isArray(filePaths)) throw new LdlmError('ERR_LDLM_IO', `${endpoint()} must name the commit and files of '${name}', got neither. Check HF_ENDPOINT`);
    return { commit: sha, files: filePaths };
  } catch (cause) {
    const status = (cause as { statusCode?: unknown }).statusCode;
    if (typeof status === 'number') throw refused(status, `'${name}' at revision '${revision}'`, cause);
    throw cause;
  }
}

/** Size and hash of `path`, from the headers of the hub's own answer: behind its redirect to a file store they are others. */
export async function askFile(id: ModelId, path: string): Promise<RemoteFile> {
  const url = `${endpoint()}/${id.name}/resolve/${encodeURIComponent(id.revision)}/${path.split('/').map(encodeURIComponent).join('/')}`;
  let asked = url;
  for (let hops = 0; hops < 5; hops++) {
    // identity: the size of a compressed answer would be another one.
    const answer = await request(asked, { method: 'HEAD', redirect: 'manual', headers: { ...authorization(), 'accept-encoding': 'identity' } });
    const etag = answer.headers.get('x-linked-etag') ?? answer.headers.get('etag');
    const target = answer.headers.get('location');
    if (answer.status >= 400) throw refused(answer.status, `${path} of '${id.name}'`);
    // The hub redirects to itself, by a relative address: the model was renamed, or the answer is in a cache of its own.
    if (answer.status >= 300 && target !== null && !/^([a-z]+:)?\/\//i.test(target)) {
      asked = new URL(target, asked).href;
      continue;
    }
    const bytes = Number(answer.headers.get('x-linked-size') ?? answer.headers.get('content-length') ?? NaN);
    const hash = etag?.replace(/^W\//, '').replaceAll('"', '') ?? '';
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash) || !Number.isSafeInteger(bytes)) {
      throw new LdlmError('ERR_LDLM_IO', `${asked} must answer with the size and the hash of the file, got size ${bytes} and hash '${hash}'. Check HF_ENDPOINT`);
    }
    return { path, url, bytes, etag: hash };
  }
  throw new LdlmError('ERR_LDLM_IO', `${url} must lead to a file, got redirects in a circle. Check HF_ENDPOINT`);
}

export function authorization(): Record<string, string> {
  return process.env.HF_TOKEN ? { authorization: `Bearer ${process.env.HF_TOKEN}` } : {};
}

/** fetch that tells "no hub there" from every other failure. */
export async function request(url: string | URL | Request, options: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url, options);
  } catch (cause) {
    if ((options.signal as AbortSignal | null | undefined)?.aborted) throw cause;
    const reason = (cause as { cause?: { code?: string; message?: string } }).cause;
    throw new HubUnreachable(`${endpoint()} cannot be reached (${reason?.code ?? reason?.message ?? String(cause)})`, { cause });
  }
}

/** What to do about an answer of 400 or more. */
export function refused(status: number, what: string, cause?: unknown): LdlmError | HubUnreachable {
  if (status >= 500 || status === 429) return new HubUnreachable(`${endpoint()} answered with status ${status} for ${what}; try again later`, { cause });
  const message =
    status === 401 || status === 403
      ? `${what} must exist on the hub and be open to you, got status ${status} from ${endpoint()}. Check the name; for a private or gated model set HF_TOKEN to a token that may read it`
      : status === 404
        ? `${what} must exist on the hub, got status 404 from ${endpoint()}. Check the name and the revision`
        : `${what} must be readable on the hub, got status ${status} from ${endpoint()}. Check the name and HF_ENDPOINT`;
  return new LdlmError('ERR_LDLM_IO', message, { cause });
}

/** The way out when there is no network, or it must not be used. */
export function notCached({ name, revision }: ModelId, why: string, cause?: unknown): LdlmError {
  return new LdlmError(
    'ERR_LDLM_IO',
    `'${name}' (revision '${revision}') must be in the cache ${cacheFolder()} when ${why}, got no complete copy there. ` +
      `Fetch it once on a machine with a network and copy that cache (HF_HUB_CACHE), or put its files into a folder and name the folder`,
    { cause },
  );
}
