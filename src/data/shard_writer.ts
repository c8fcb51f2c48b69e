// Writes a stream of tokens into flat shard files of whole rows, and beside each where its documents are. What is synced at a checkpoint can
// be continued after the process was killed.

import { rm } from 'node:fs/promises';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { HashedFile } from './hashed_file.js';
import { idBytes, type Manifest, type ShardEntry } from './manifest.js';
import { readStarts, storedShard, type StoredShard } from './stored_documents.js';

export type Tokens = Uint16Array | Uint32Array;

type Layout = Pick<Manifest, 'length' | 'packing' | 'dtype'>;

/** All that is needed to continue. */
export interface WriterState {
  /** Full shards, complete on the disk. */
  shards: ShardEntry[];
  /** Of the shard in progress, or null between two. */
  open: { tokens: number; documents: number } | null;
}

interface OpenShard {
  ids: HashedFile;
  /** Real lengths of the rows (pad) or where documents begin (wrap). */
  side: HashedFile;
  tokens: number;
  documents: number;
}

/** `finish` gives the entries of the manifest. `close` is for a run that failed. */
export class ShardWriter {
  private shard: OpenShard | undefined;
  private readonly width: 2 | 4;
  /** Set when the next token begins a document: real tokens of its row (pad). */
  private begun: number | undefined;

  private constructor(
    private readonly dir: string,
    private readonly layout: Layout,
    private readonly rowsPerShard: number,
    private readonly entries: ShardEntry[],
  ) {
    this.width = idBytes(layout);
  }

  /** Rows of a shard of about 256 MiB. */
  static defaultRows(layout: Layout): number {
    return Math.ceil(2 ** 28 / (layout.length * idBytes(layout)));
  }

  /** A writer into `dir`, from the beginning or from `state`: what was written after it is cut off. */
  static async open(dir: string, layout: Layout, rowsPerShard: number, state: WriterState = { shards: [], open: null }): Promise<ShardWriter> {
    const writer = new ShardWriter(dir, layout, rowsPerShard, [...state.shards]);
    const next = writer.paths(state.shards.length);
    if (state.open) {
      const { tokens, documents } = state.open;
      const ids = await HashedFile.resume(next.ids, tokens * writer.width);
      const side = await HashedFile.resume(next.side, documents * writer.sideBytes);
      writer.shard = { ids, side, tokens, documents };
    }
    for (let index = state.shards.length + (state.open ? 1 : 0); ; index++) {
      const { ids, side } = writer.paths(index);
      // A killed run leaves at most a few shards behind its last checkpoint; the first that is not there ends them.
      const found = await rm(ids).then(() => true, () => false);
      if (!(await rm(side).then(() => true, () => found))) return writer;
    }
  }

  /** Whole rows so far. */
  get rows(): number {
    const open = Math.floor((this.shard?.tokens ?? 0) / this.layout.length);
    return this.entries.reduce((sum, { rows }) => sum + rows, open);
  }

  /** An array of the type of the shards. */
  tokens(content: number | readonly number[]): Tokens {
    return this.width === 2 ? new Uint16Array(content as number) : new Uint32Array(content as number);
  }

  /** The next token begins a document; with packing 'pad', `length` of its row are real. */
  beginDocument(length = 0): void {
    this.begun = length;
  }

  async append(tokens: Tokens): Promise<void> {
    const capacity = this.rowsPerShard * this.layout.length;
    for (let start = 0; start < tokens.length; ) {
      const shard = (this.shard ??= await this.openShard());
      if (this.begun !== undefined) await this.noteDocument(shard, this.begun);
      const part = tokens.subarray(start, start + capacity - shard.tokens);
      // A copy: the packer uses its row again before this is written.
      await shard.ids.append(littleEndian(part.slice()));
      shard.tokens += part.length;
      start += part.length;
      if (shard.tokens === capacity) await this.closeShard();
    }
  }

  /** Forces everything to the disk. */
  async checkpoint(): Promise<WriterState> {
    await this.shard?.ids.sync();
    await this.shard?.side.sync();
    return { shards: [...this.entries], open: this.shard ? { tokens: this.shard.tokens, documents: this.shard.documents } : null };
  }

  /** Closes the last shard. The stream must end with a whole row (`cutToRows`). */
  async finish(): Promise<ShardEntry[]> {
    if (this.shard) await this.closeShard();
    return this.entries;
  }

  async close(): Promise<void> {
    const shard = this.shard;
    this.shard = undefined;
    await shard?.ids.close();
    await shard?.side.close();
  }

  /** What `state` says is on the disk. */
  static stored(layout: Layout, { shards, open }: WriterState): StoredShard[] {
    const { file, sideFile } = names(shards.length, layout);
    return [...shards.map((entry) => storedShard(entry, layout)), ...(open ? [{ file, sideFile, ...open }] : [])];
  }

  private get sideBytes(): 2 | 4 {
    return this.layout.packing === 'pad' ? 2 : 4;
  }

  private paths(index: number): { ids: string; side: string } {
    const { file, sideFile } = names(index, this.layout);
    return { ids: join(this.dir, file), side: join(this.dir, sideFile) };
  }

  private async openShard(): Promise<OpenShard> {
    const { ids, side } = this.paths(this.entries.length);
    return { ids: await HashedFile.create(ids), side: await HashedFile.create(side), tokens: 0, documents: 0 };
  }

  private async noteDocument(shard: OpenShard, length: number): Promise<void> {
    const value = this.layout.packing === 'pad' ? Uint16Array.of(length) : Uint32Array.of(shard.tokens);
    await shard.side.append(littleEndian(value));
    shard.documents++;
    this.begun = undefined;
  }

  private async closeShard(): Promise<void> {
    const { ids, side, tokens, documents } = this.shard!;
    this.shard = undefined;
    const { file, sideFile } = names(this.entries.length, this.layout);
    const entry = { file, rows: tokens / this.layout.length, sha256: await ids.finish() };
    const sideEntry = { file: sideFile, sha256: await side.finish() };
    const isPad = this.layout.packing === 'pad';
    this.entries.push({ ...entry, lengths: isPad ? sideEntry : null, documents: isPad ? null : { ...sideEntry, count: documents } });
  }
}

/** `state` without the tokens at the end that fill no row, and how many they are. Nothing is written: `open` cuts the files. */
export async function cutToRows(dir: string, layout: Layout, state: WriterState): Promise<{ state: WriterState; dropped: number }> {
  const { shards, open } = state;
  const dropped = (open?.tokens ?? 0) % layout.length;
  const tokens = (open?.tokens ?? 0) - dropped;
  if (!open || tokens === 0) return { state: { shards, open: null }, dropped };
  if (dropped === 0) return { state, dropped };
  const starts = await readStarts(dir, ShardWriter.stored(layout, state).at(-1)!);
  return { state: { shards, open: { tokens, documents: starts.findLastIndex((start) => start < tokens) + 1 } }, dropped };
}

function names(index: number, { packing }: Layout): { file: string; sideFile: string } {
  const name = `shard-${String(index).padStart(5, '0')}`;
  return { file: `${name}.bin`, sideFile: `${name}.${packing === 'pad' ? 'lengths' : 'documents'}.bin` };
}

/** The bytes of `tokens` in the order of the files; turns them in place on the few machines that count the other way. */
function littleEndian(tokens: Tokens): Uint8Array {
  const bytes = Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  if (endianness() === 'LE') return bytes;
  return tokens.BYTES_PER_ELEMENT === 2 ? bytes.swap16() : bytes.swap32();
}
