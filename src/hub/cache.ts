// The folder layout of the Hugging Face cache, which Python's huggingface_hub shares, so that models people already have are found:
//   models--ORG--NAME/refs/REVISION                     the commit that a branch or tag stood for when it was last asked
//   models--ORG--NAME/snapshots/COMMIT/FILE             a link to
//   models--ORG--NAME/blobs/ETAG                        the bytes, named by their hash; ETAG.incomplete while they arrive
// Knows no network.

import { mkdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { writeFileAtomic } from '../data/atomic.js';

/** A model of the hub. `revision` is a branch, a tag or a commit. */
export interface ModelId {
  /** 'gpt2' or 'google-bert/bert-base-uncased'. */
  name: string;
  revision: string;
}

/** Where the cache is: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. */
export function cacheFolder(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env;
  return HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface'), 'hub');
}

export function repositoryFolder(name: string): string {
  return join(cacheFolder(), ['models', ...name.split('/')].join('--'));
}

/** A full commit hash: what it names never changes, so that the hub need not be asked. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** The commit that the cache has for `id`, or null. */
export async function cachedCommit({ name, revision }: ModelId): Promise<string | null> {
  if (isCommit(revision)) return revision;
  const text = await readFile(join(repositoryFolder(name), 'refs', revision), 'utf8').catch(() => '');
  return isCommit(text.trim()) ? text.trim() : null;
}

export async function rememberCommit({ name, revision }: ModelId, commit: string): Promise<void> {
  if (isCommit(revision)) return;
  const file = join(repositoryFolder(name), 'refs', revision);
  await mkdir(dirname(file), { recursive: true });
  await writeFileAtomic(file, commit);
}

export function snapshotFolder(name: string, commit: string): string {
  return join(repositoryFolder(name), 'snapshots', commit);
}

export function blobFile(name: string, etag: string): string {
  return join(repositoryFolder(name), 'blobs', etag);
}

/** Whether `file` is there; a link whose blob was deleted is not. */
export function exists(file: string): Promise<boolean> {
  return stat(file).then(() => true, () => false);
}

/** Makes `file` of a snapshot a link to a blob. Relative, so that the cache can be moved. */
export async function linkBlob(file: string, blob: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await rm(file, { force: true });
  await symlink(relative(dirname(file), blob), file);
}
