// Text to token shards: reads documents, tokenizes them in blocks on several threads, packs rows and writes shards and manifest.json into a
// work folder that gets its name only when it is complete. The output does not depend on the number of threads, nor on how often the work
// was stopped and continued. Memory is flat whatever the size of the input.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { syncAndRename, writeFileAtomic } from './atomic.js';
import type { Detokenizer } from './detokenize.js';
import type { InvalidText } from './invalid_text.js';
import { lockFolder, lockName } from './lock.js';
import { manifestName, type Manifest } from './manifest.js';
import { digestsName, PrepareRun } from './prepare_run.js';
import { findSame, planPrepare, requireFree, requireOwnWork, type PreparePlan } from './prepare_plan.js';
import { newState, readState, stateName, type PrepareState } from './prepare_state.js';
import type { Tokenizer } from './tokenizer.js';

export interface PrepareOptions {
  /** Files, folders or globs, read in this order: txt (a document a line), jsonl (also .gz, .zst) and parquet. */
  inputs: readonly string[];
  tokenizer: Tokenizer;
  /** L: tokens of a row, 1..65535. */
  length: number;
  packing: 'wrap' | 'pad';
  /** Folder to make. */
  out: string;
  /** Key or column with the text, for jsonl and parquet; default 'text'. */
  column?: string;
  /** Undoes the tokenization of a corpus that comes as words between spaces; default none. */
  detokenize?: Detokenizer | null;
  /** What happens to bytes that are no text; default 'stop'. */
  invalidUtf8?: InvalidText;
  /** 'exact' leaves out documents that are equal to an earlier one; default null. */
  dedup?: 'exact' | null;
  /** This many documents at the end of the input become a data set of their own, `out`/validation; default 0. */
  validation?: number;
  /** Replaces a data set that is already in `out`; default false. */
  replace?: boolean;
  /** Threads that tokenize; default: one a core, at most 6, and none of their own for small inputs. */
  workers?: number;
  /** Rows of a shard file; default: about 256 MiB. */
  rowsPerShard?: number;
  /** Seconds between two states that a killed run can continue from; default 10. */
  checkpointSeconds?: number;
  onProgress?: (progress: PrepareProgress) => void;
  /** While inputs are compared with those of a data set that is there: bytes done and in all. */
  onCheck?: (bytes: number, totalBytes: number) => void;
  /** Told in words when nothing has to be done, and when an unfinished run is continued or dropped. */
  onNotice?: (text: string) => void;
  signal?: AbortSignal;
}

export interface PrepareProgress {
  /** Bytes of input done (within a file an estimate, not whole), and of all input. */
  bytes: number;
  totalBytes: number;
  documents: number;
  rows: number;
  realTokens: number;
}

/**
 * Makes the folder `out`: shards of token rows, manifest.json and a copy of tokenizer.json. If `out` is already what would be made, nothing
 * is done. Stopped or killed, the same call continues from the folder `out`.partial.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT, ERR_LDLM_IO (unreadable or unsuitable input, full disk), ERR_LDLM_ABORTED; `out` is untouched then
 * @example await prepare({ inputs: ['corpus/*.jsonl.zst'], tokenizer: await Tokenizer.load('gpt2'), length: 128, packing: 'wrap', out: 'data/corpus' });
 */
export async function prepare(options: PrepareOptions): Promise<Manifest> {
  throwIfAborted(options.signal, false);
  const plan = await planPrepare(options);
  const { out, work } = plan;
  const replace = options.replace ?? false;
  const same = replace ? null : await findSame(plan, options).catch((error: unknown) => {
    throwIfAborted(options.signal, false);
    throw error;
  });
  if (same) {
    await removeTraces(out);
    options.onNotice?.(`${out} is already made from these inputs with these options: nothing to do`);
    return same;
  }
  await requireFree(out, replace);
  await requireOwnWork(work);
  await using _ = await lockFolder(work);
  const state = await continueOrStart(plan, options);
  const run = new PrepareRun(plan, options, state);
  try {
    await run.tokenize();
    const manifest = await run.finish();
    await options.tokenizer.save(work);
    await writeFileAtomic(join(work, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
    await syncAndRename(work, out, { replace });
    // Only now: killed before the renaming, the run is continued from them.
    await removeTraces(out);
    return manifest;
  } catch (error) {
    await run.close();
    const kept = await keepWork(work, error);
    throwIfAborted(options.signal, kept);
    throw error;
  } finally {
    await run.close();
  }
}

async function continueOrStart({ work, key }: PreparePlan, { onNotice }: PrepareOptions): Promise<PrepareState> {
  const state = await readState(work);
  if (state?.key === key) {
    onNotice?.(`continues the unfinished run in ${work} after ${state.counts.documents} documents`);
    // What was being replaced when the run was killed.
    for (const name of await readdir(work)) if (name.endsWith('.tmp')) await rm(join(work, name));
    return state;
  }
  const names = (await readdir(work)).filter((name) => name !== lockName);
  if (state) onNotice?.(`starts again: the unfinished run in ${work} had other inputs or options`);
  for (const name of names) await rm(join(work, name), { recursive: true });
  return newState(key);
}

/** What the work left in a complete data set; a run that was killed right after the renaming leaves it to the next. */
async function removeTraces(out: string): Promise<void> {
  for (const name of [stateName, digestsName, lockName]) await rm(join(out, name), { force: true });
}

/** A failed run can be continued from its last checkpoint. One without, or with options that cannot work, leaves nothing behind. */
async function keepWork(work: string, error: unknown): Promise<boolean> {
  const hopeless = error instanceof LdlmError && error.code === 'ERR_LDLM_INVALID_ARGUMENT';
  if (!hopeless && (await readState(work))) return true;
  await rm(work, { recursive: true, force: true });
  return false;
}

function throwIfAborted(signal: AbortSignal | undefined, kept: boolean): void {
  if (!signal?.aborted) return;
  const state = kept ? 'what was done is kept, and the same command continues it' : 'nothing was written';
  throw new LdlmError('ERR_LDLM_ABORTED', `stopped before the data set was complete; ${state}`);
}
