// One run of `prepare` in its work folder: from the state that it is given to complete shards. Checkpoints go by time; where they fall
// does not change the output.

import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { writeFileAtomic } from './atomic.js';
import { readBlocks, type Block } from './blocks.js';
import { DigestLog } from './digest_log.js';
import { sha256OfFile } from './input_hash.js';
import { manifestName, type Manifest } from './manifest.js';
import { PadPacker, WrapPacker, type Packer } from './packing.js';
import type { PrepareOptions } from './prepare.js';
import type { PreparePlan } from './prepare_plan.js';
import { writeState, type PrepareState } from './prepare_state.js';
import { cutToRows, ShardWriter } from './shard_writer.js';
import { openTokenizerPool, type EncodedTexts } from './tokenizer_pool.js';
import { copyLastDocuments } from './validation_split.js';

export const digestsName = 'digests.bin';

export class PrepareRun {
  private writer: ShardWriter | undefined;
  private digests: DigestLog | undefined;
  private hash: Promise<string> | undefined;
  /** Ends the hashing of an input. Not the caller's signal: a stop at the end of a file needs its hash for the state. */
  private readonly closing = new AbortController();
  private savedAt = performance.now();

  constructor(private readonly plan: PreparePlan, private readonly options: PrepareOptions, private state: PrepareState) {}

  /** Reads, tokenizes and packs what is left. */
  async tokenize(): Promise<void> {
    if (this.state.cut) return;
    const { plan, options, state } = this;
    const { source } = plan.heading;
    const writer = (this.writer = await ShardWriter.open(plan.work, plan.heading, plan.rowsPerShard, state.writer));
    if (source.dedup) this.digests = await DigestLog.open(join(plan.work, digestsName), state.digests);
    const packer = this.openPacker(writer);
    await using pool = await openTokenizerPool(options.tokenizer, plan.workers);
    const readOptions = { column: source.column, detokenize: options.detokenize ?? null, invalidUtf8: source.invalidUtf8, seen: this.digests?.seen ?? null };
    // In the order of the input, so that the output does not depend on which thread is the fastest.
    const queue: { block: Block; encoded: Promise<EncodedTexts> }[] = [];
    const writeFirst = async (): Promise<void> => {
      const { block, encoded } = queue.shift()!;
      await this.write(block, await encoded, packer);
    };
    this.report(0);
    for await (const block of readBlocks(plan.files, readOptions, state.position, state.counts)) {
      const encoded = pool.encode(block.texts);
      encoded.catch(() => undefined); // reported when its turn comes; an earlier failure may end the loop before
      queue.push({ block, encoded });
      if (queue.length >= pool.depth) await writeFirst();
    }
    while (queue.length > 0) await writeFirst();
    await this.save();
  }

  /** Cuts off the validation documents and what fills no row, and gives the manifest. May be repeated after a crash. */
  async finish(): Promise<Manifest> {
    const { plan, state } = this;
    const { heading, work, rowsPerShard } = plan;
    if (!state.cut) {
      const validation = heading.source.validation > 0 ? await this.splitValidation() : { documents: 0, realTokens: 0, rest: state.writer };
      const { state: whole, dropped } = await cutToRows(work, heading, validation.rest);
      if (whole.shards.length === 0 && !whole.open) {
        throw invalid(`the input must fill at least one row of ${heading.length} tokens, got ${dropped} tokens; use a smaller length or packing 'pad'`);
      }
      // The files are cut only when the state no longer speaks of what is cut off.
      const { documents, realTokens } = validation;
      this.state = { ...state, writer: whole, cut: { dropped, validation: { documents, realTokens } } };
      await writeState(work, this.state);
    }
    await this.close();
    const writer = (this.writer = await ShardWriter.open(work, heading, rowsPerShard, this.state.writer));
    const shards = await writer.finish();
    const { counts, packer, cut } = this.state;
    return this.manifest({
      rows: writer.rows,
      realTokens: packer.realTokens - cut!.dropped - cut!.validation.realTokens,
      droppedTokens: packer.dropped + cut!.dropped,
      truncated: packer.truncated,
      ...counts,
      documents: counts.documents - cut!.validation.documents,
      split: 'train',
      shards,
    });
  }

  /** Lets go of open files. May be called twice. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.writer?.close();
    await this.digests?.close();
    this.writer = this.digests = undefined;
  }

  private async splitValidation(): Promise<{ documents: number; realTokens: number; rest: PrepareState['writer'] }> {
    const { plan, state, options } = this;
    const documents = plan.heading.source.validation;
    const folder = join(plan.work, 'validation');
    await rm(folder, { recursive: true, force: true });
    const { rest, shards, rows, realTokens, droppedTokens, truncated } = await copyLastDocuments(plan.work, state.writer, documents, folder, plan.heading, plan.rowsPerShard);
    if (rows === 0) throw invalid(`validation must fill at least one row of ${plan.heading.length} tokens, got ${droppedTokens} tokens; use more documents`);
    const counts = { documents, empty: 0, duplicates: 0, repaired: 0 };
    const manifest = this.manifest({ rows, realTokens, droppedTokens, truncated, ...counts, split: 'validation', shards });
    await options.tokenizer.save(folder);
    await writeFileAtomic(join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
    return { documents, realTokens: realTokens + (plan.heading.packing === 'wrap' ? droppedTokens : 0), rest };
  }

  private manifest(own: Omit<Manifest, keyof PreparePlan['heading'] | 'tokens' | 'inputs'>): Manifest {
    const { heading, files } = this.plan;
    const inputs = files.map(({ path, size }, index) => ({ name: basename(path), bytes: size, sha256: this.state.inputHashes[index]! }));
    return { ...heading, ...own, tokens: own.rows * heading.length, inputs };
  }

  private openPacker(writer: ShardWriter): Packer {
    const { packing, length, endId, padId } = this.plan.heading;
    const counts = this.state.packer;
    return packing === 'wrap' ? new WrapPacker(writer, endId, counts) : new PadPacker(writer, length, endId, padId, counts);
  }

  private async write(block: Block, { ids, lengths }: EncodedTexts, packer: Packer): Promise<void> {
    const { state, plan, options } = this;
    if (!this.hash) {
      // Goes along with tokenizing, which is much slower. A failure of the reading itself is reported first.
      this.hash = sha256OfFile(plan.files[state.inputHashes.length]!.path, undefined, this.closing.signal);
      this.hash.catch(() => undefined);
    }
    let at = 0;
    for (const [index, length] of lengths.entries()) await packer.add(ids.subarray(at, (at += length)), block.ends[index]!);
    await this.digests?.append(block.digests);
    this.report(block.bytes, block.counts.documents);
    if (!block.next) return;
    [state.position, state.counts] = [block.next, block.counts];
    if (state.inputHashes.length < block.next.file) {
      state.inputHashes.push(await this.hash!);
      this.hash = undefined;
    }
    const stop = options.signal?.aborted === true;
    if (stop || performance.now() - this.savedAt >= 1000 * (options.checkpointSeconds ?? 10)) await this.save();
    if (stop) throw new LdlmError('ERR_LDLM_ABORTED', 'stopped');
  }

  private async save(): Promise<void> {
    this.state.writer = await this.writer!.checkpoint();
    if (this.digests) this.state.digests = await this.digests.sync();
    await writeState(this.plan.work, this.state);
    this.savedAt = performance.now();
  }

  private report(bytes: number, documents = this.state.counts.documents): void {
    const { totalBytes } = this.plan;
    this.options.onProgress?.({ bytes, totalBytes, documents, rows: this.writer!.rows, realTokens: this.state.packer.realTokens });
  }
}

function invalid(message: string): LdlmError {
  return new LdlmError('ERR_LDLM_INVALID_ARGUMENT', message);
}
