// From the tokens of documents to the token stream of a data set, which is cut into rows of L tokens: the two packings of the
// `data.packing` setting.

import type { ShardWriter, Tokens } from './shard_writer.js';

/** Takes documents, in pieces if they are long. */
export interface Packer {
  /** `ids`: the next piece of the current document; `ends`: it is its last one. */
  add(ids: Tokens, ends: boolean): Promise<void>;
  readonly counts: Readonly<PackerCounts>;
}

export interface PackerCounts {
  /** Tokens in the stream, end tokens included, padding not. */
  realTokens: number;
  /** Documents cut at the length of a row. */
  truncated: number;
  /** Tokens that were cut off. */
  dropped: number;
}

/** Documents joined by `endId`; rows are cut every L tokens. */
export class WrapPacker implements Packer {
  private open = false;
  private readonly end: Tokens;

  constructor(private readonly writer: ShardWriter, endId: number, readonly counts: PackerCounts) {
    this.end = writer.tokens([endId]);
  }

  async add(ids: Tokens, ends: boolean): Promise<void> {
    if (!this.open) this.writer.beginDocument();
    this.open = !ends;
    await this.writer.append(ids);
    if (ends) await this.writer.append(this.end);
    this.counts.realTokens += ids.length + Number(ends);
  }
}

/** One document a row: `endId` behind it, cut at L (the end token too, then), filled up with `padId`. */
export class PadPacker implements Packer {
  private readonly row: Tokens;
  private length = 0;
  private tokens = 0;

  constructor(
    private readonly writer: ShardWriter,
    private readonly rowLength: number,
    private readonly endId: number,
    private readonly padId: number,
    readonly counts: PackerCounts,
  ) {
    this.row = writer.tokens(rowLength);
  }

  async add(ids: Tokens, ends: boolean): Promise<void> {
    // Never more than a row is kept, so a document of any length costs no memory.
    const part = ids.subarray(0, this.rowLength - this.length);
    this.row.set(part, this.length);
    this.length += part.length;
    this.tokens += ids.length;
    if (ends) await this.finishRow();
  }

  private async finishRow(): Promise<void> {
    this.tokens++;
    if (this.length < this.rowLength) this.row[this.length++] = this.endId;
    this.row.fill(this.padId, this.length);
    if (this.tokens > this.length) this.counts.truncated++;
    this.counts.dropped += this.tokens - this.length;
    this.counts.realTokens += this.length;
    this.writer.beginDocument(this.length);
    await this.writer.append(this.row);
    [this.length, this.tokens] = [0, 0];
  }
}
