// What a call of `prepare` asks for, checked: files, layout and everything else that decides the bytes of the data set. And whether that is
// there already.

import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { packageVersion } from '../api/package_root.js';
import { dependencyVersion } from './dependency_version.js';
import { namesIn } from './names_in.js';
import { sha256OfFile } from './input_hash.js';
import { listInputs, type InputFile } from './inputs.js';
import { lockName } from './lock.js';
import { manifestName, readManifest, type Manifest, type Source } from './manifest.js';
import type { PrepareOptions } from './prepare.js';
import { ShardWriter } from './shard_writer.js';
import { openShards } from './shards.js';

/** The fields of the manifest that are known before the first document is read. */
export type Heading = Pick<
  Manifest, 'formatVersion' | 'length' | 'packing' | 'vocabulary' | 'dtype' | 'endId' | 'padId' | 'tokenizer' | 'versions'
> & { source: Source };

export interface PreparePlan {
  files: InputFile[];
  totalBytes: number;
  heading: Heading;
  rowsPerShard: number;
  workers: number;
  out: string;
  /** The folder that becomes `out`. */
  work: string;
  /** Two calls with the same key make the same data set. */
  key: string;
}

/** Below this, starting threads takes longer than it saves. */
const bytesWorthThreads = 4e6;
/** One thread reads and writes for all; each that tokenizes takes some 80 MB. */
const mostWorkers = 6;

/** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT, ERR_LDLM_IO */
export async function planPrepare(options: PrepareOptions): Promise<PreparePlan> {
  const { tokenizer, length, packing, column = 'text', detokenize = null, invalidUtf8 = 'stop', dedup = null, validation = 0 } = options;
  if (!Number.isInteger(length) || length < 1 || length > 65535) throw invalid(`length must be a whole number in 1..65535, got ${length}`);
  requireWhole('validation', validation, 0);
  const endId = tokenizer.endId;
  if (endId === null) throw invalid('the tokenizer must have an end token (eos_token or sep_token in tokenizer_config.json), got none');
  const files = await listInputs(options.inputs);
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
  const heading: Heading = {
    formatVersion: 1,
    length,
    packing,
    vocabulary: tokenizer.vocabularySize,
    dtype: tokenizer.vocabularySize > 65536 ? 'uint32' : 'uint16',
    endId,
    padId: tokenizer.padId ?? endId,
    source: { column, detokenize, invalidUtf8, dedup, validation },
    tokenizer: { kind: tokenizer.kind, version: tokenizer.version, sha256: tokenizer.sha256 },
    versions: {
      ldlm: packageVersion(),
      node: process.versions.node,
      hyparquet: await dependencyVersion('hyparquet'),
      fzstd: await dependencyVersion('fzstd'),
    },
  };
  const rowsPerShard = options.rowsPerShard ?? ShardWriter.defaultRows(heading);
  requireWhole('rowsPerShard', rowsPerShard, 1);
  const workers = options.workers ?? (totalBytes < bytesWorthThreads ? 0 : Math.min(mostWorkers, availableParallelism()));
  requireWhole('workers', workers, 0);
  const out = resolve(options.out);
  const key = JSON.stringify({ heading, rowsPerShard, files: files.map((file) => ({ ...file, path: resolve(file.path) })) });
  return { files, totalBytes, heading, rowsPerShard, workers, out, work: `${out}.partial`, key };
}

/**
 * The manifest in `out` if it is the one that this plan would write. Inputs and shards are read and compared by their hashes.
 * @throws LdlmError ERR_LDLM_IO if it is, but its shards are damaged
 */
export async function findSame({ files, heading, out, totalBytes }: PreparePlan, options: PrepareOptions): Promise<Manifest | null> {
  const manifest = await readManifest(out).catch(() => null);
  if (!manifest || manifest.inputs.length !== files.length) return null;
  const same = (name: keyof Heading): boolean => name === 'versions' || JSON.stringify(manifest[name]) === JSON.stringify(heading[name]);
  if (!(Object.keys(heading) as (keyof Heading)[]).every(same)) return null;
  let bytes = 0;
  for (const [index, { path, size }] of files.entries()) {
    if (manifest.inputs[index]!.bytes !== size) return null;
    const hash = await sha256OfFile(path, (read) => options.onCheck?.((bytes += read), totalBytes), options.signal);
    if (manifest.inputs[index]!.sha256 !== hash) return null;
  }
  for (const folder of heading.source.validation > 0 ? [out, join(out, 'validation')] : [out]) {
    await (await openShards(folder, { inMemoryBytes: 0, verify: true })).dispose();
  }
  return manifest;
}

/** Only a free name, an empty folder, or, with `replace`, a folder that is a data set may be written to. */
export async function requireFree(out: string, replace: boolean): Promise<void> {
  const names = await namesIn(out);
  if (names.length === 0) return;
  const isDataSet = names.includes(manifestName);
  const what = isDataSet ? 'another data set' : 'one with files in it';
  if (!replace) throw new LdlmError('ERR_LDLM_IO', `${out} must be a new or empty folder, got ${what}; choose another or replace it (--force)`);
  if (isDataSet) return;
  throw new LdlmError('ERR_LDLM_IO', `${out} must be a data set (a folder with ${manifestName}) to be replaced, got something else; delete it yourself or choose another`);
}

function requireWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw invalid(`${name} must be a whole number >= ${least}, got ${value}`);
}

function invalid(message: string): LdlmError {
  return new LdlmError('ERR_LDLM_INVALID_ARGUMENT', message);
}

/** What a run leaves in its work folder. */
const ownName = /^(manifest\.json|state\.json|tokenizer\.json|tokenizer_config\.json|digests\.bin|validation|shard-\d{5}(\.\w+)?\.bin)(\.[0-9a-f]+\.tmp)?$/;

/** An unfinished run may be continued or dropped; what somebody else keeps under its name may not be lost. */
export async function requireOwnWork(work: string): Promise<void> {
  const foreign = (await namesIn(work)).find((name) => !ownName.test(name) && !name.startsWith(lockName));
  if (foreign === undefined) return;
  throw new LdlmError('ERR_LDLM_IO', `${work} must be free for the unfinished data set, got a folder with other files in it (${foreign}); move them or choose another --out`);
}
