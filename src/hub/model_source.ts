// Where a pretrained model comes from: a folder in the Hugging Face layout, or an id of the hub, whose files are fetched into the
// Hugging Face cache. The only place that decides which; everything behind it sees a folder.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { LdlmError } from '../api/errors.js';
import { type FolderLock, lockFolder } from '../data/lock.js';
import { blobFile, cachedCommit, exists, isCommit, linkBlob, type ModelId, rememberCommit, repositoryFolder, snapshotFolder } from './cache.js';
import { download, sizeOf } from './download.js';
import { askFile, askModel, HubUnreachable, isOffline, notCached, type RemoteFile } from './hub_api.js';
import { INDEX, shardsOf, WEIGHTS } from './weight_files.js';

/** What of a model is needed: its weights with config.json, its tokenizer, or both. */
export type ModelPart = 'weights' | 'tokenizer';

export interface ResolveOptions {
  /** Bytes of all files that are fetched: here already, and in all. */
  onDownload?: (bytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

export interface ModelSource {
  /** The folder with the files. */
  folder: string;
  /** What to write down in order to find the same files again: the folder as it was given, or ID@COMMIT. */
  source: string;
}

const LONGEST_WAIT_MS = 30 * 60_000;

/**
 * The folder of `source`: a folder, or ID or ID@REVISION of the hub (REVISION: branch, tag or commit; default main). A commit that is in
 * the cache is taken from there without asking the hub.
 * @throws LdlmError ERR_LDLM_IO that says what to do if it is neither, or cannot be fetched
 * @example const { folder } = await resolveModel('google-bert/bert-base-uncased', ['weights', 'tokenizer']);
 */
export async function resolveModel(source: string, parts: readonly ModelPart[], options: ResolveOptions = {}): Promise<ModelSource> {
  if (await exists(source)) return { folder: source, source };
  const id = parseModelId(source);
  if (id === null) throw new LdlmError('ERR_LDLM_IO', `a model must be a Hugging Face layout folder or an id of the hub such as gpt2 or org/name, got '${source}', which is no folder here`);
  const cached = await fromCache(id, parts);
  if (cached && (isOffline() || isCommit(id.revision))) return cached;
  if (isOffline()) throw notCached(id, 'HF_HUB_OFFLINE is set');
  try {
    return await fetchModel(id, parts, options);
  } catch (error) {
    if (options.signal?.aborted) throw new LdlmError('ERR_LDLM_ABORTED', `the download of '${id.name}' was stopped; what is here is kept, and the same command goes on from there`, { cause: error });
    if (!(error instanceof HubUnreachable)) throw error;
    if (cached) return cached;
    throw notCached(id, `there is no folder '${source}' and ${error.message}`, error);
  }
}

/** 'gpt2', 'org/name' or either with '@revision'; null for what cannot be one, such as a path. */
export function parseModelId(source: string): ModelId | null {
  const [, name, revision] = /^([\w][\w.-]*(?:\/[\w][\w.-]*)?)(?:@([\w][\w./-]*))?$/.exec(source) ?? [];
  if (name === undefined || source.includes('..')) return null;
  return { name, revision: revision ?? 'main' };
}

/** `source` with the commit of `known`, if that is the same id pinned to one and `source` asks for no revision. */
export function keepCommit(source: string, known: string): string {
  const [asked, pinned] = [parseModelId(source), parseModelId(known)];
  const same = !source.includes('@') && asked !== null && pinned !== null && asked.name === pinned.name && isCommit(pinned.revision);
  return same ? known : source;
}

async function fromCache(id: ModelId, parts: readonly ModelPart[]): Promise<ModelSource | null> {
  const commit = await cachedCommit(id);
  if (commit === null) return null;
  const folder = snapshotFolder(id.name, commit);
  return (await isComplete(folder, parts)) ? { folder, source: `${id.name}@${commit}` } : null;
}

async function isComplete(folder: string, parts: readonly ModelPart[]): Promise<boolean> {
  const needed: string[] = [];
  if (parts.includes('tokenizer')) needed.push('tokenizer.json');
  if (parts.includes('weights')) {
    const sharded = !(await exists(join(folder, WEIGHTS))) && (await exists(join(folder, INDEX)));
    needed.push('config.json', ...(sharded ? await shardsOf(folder) : [WEIGHTS]));
  }
  for (const file of needed) if (!(await exists(join(folder, file)))) return false;
  return true;
}

async function fetchModel(id: ModelId, parts: readonly ModelPart[], options: ResolveOptions): Promise<ModelSource> {
  const { commit, files } = await askModel(id);
  const at: ModelId = { name: id.name, revision: commit };
  const folder = snapshotFolder(id.name, commit);
  if (!(await isComplete(folder, parts))) {
    const wanted = wantedFiles(id.name, files, parts);
    await using _lock = await waitForLock(repositoryFolder(id.name), options);
    if (wanted.includes(INDEX)) {
      await fetchFiles(at, folder, [INDEX], {}); // it names the shards
      wanted.push(...(await shardsOf(folder)));
    }
    await fetchFiles(at, folder, wanted, options);
  }
  await rememberCommit(id, commit);
  return { folder, source: `${id.name}@${commit}` };
}

/** Processes that start together, as on several GPUs, need the same files: one fetches, the others wait for it. */
async function waitForLock(folder: string, { signal }: ResolveOptions): Promise<FolderLock> {
  const until = performance.now() + LONGEST_WAIT_MS;
  for (;;) {
    try {
      return await lockFolder(folder);
    } catch (error) {
      if (!(error instanceof LdlmError) || error.code !== 'ERR_LDLM_STATE' || performance.now() > until) throw error;
      await pause(500, undefined, signal && { signal });
    }
  }
}

/** What is needed of `files`. What a snapshot is judged complete by comes last, so that a broken fetch does not look complete. */
function wantedFiles(name: string, files: readonly string[], parts: readonly ModelPart[]): string[] {
  const wanted: string[] = [];
  const need = (file: string, remedy: string): void => {
    if (!files.includes(file)) throw new LdlmError('ERR_LDLM_IO', `'${name}' must have ${file} on the hub, got ${files.slice(0, 12).join(', ') || 'no files'}. ${remedy}`);
    wanted.push(file);
  };
  if (parts.includes('weights')) {
    need('config.json', 'Choose a model with one');
    if (files.includes(INDEX) && !files.includes(WEIGHTS)) wanted.push(INDEX);
    else need(WEIGHTS, 'Convert the weights with save_pretrained(folder, safe_serialization=True) of Hugging Face transformers, and name the folder');
  }
  if (parts.includes('tokenizer')) {
    if (files.includes('tokenizer_config.json')) wanted.push('tokenizer_config.json'); // names the special tokens; not every model has it
    need('tokenizer.json', 'Make one with AutoTokenizer.from_pretrained(id).save_pretrained(folder) of Hugging Face transformers, and name the folder');
  }
  return wanted;
}

/** Fetches those of `files` that the snapshot lacks. */
async function fetchFiles(id: ModelId, folder: string, files: readonly string[], { onDownload, signal }: ResolveOptions): Promise<void> {
  const missing: RemoteFile[] = [];
  for (const file of files) if (!(await exists(join(folder, file)))) missing.push(await askFile(id, file));
  const total = missing.reduce((sum, file) => sum + file.bytes, 0);
  let before = 0;
  for (const file of missing) {
    const blob = blobFile(id.name, file.etag);
    if ((await sizeOf(blob)) !== file.bytes) {
      await download(file, blob, { onBytes: (bytes) => onDownload?.(before + bytes, total), ...(signal && { signal }) });
    }
    before += file.bytes;
    onDownload?.(before, total);
    await linkBlob(join(folder, file.path), blob);
  }
}
