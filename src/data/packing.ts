// From the tokens of documents to rows of equal length: the two packings of the `data.packing` setting.

/** One row of a data set. `ids` has the full length; the first `length` of them are real (end token included). */
export interface Row {
  ids: number[];
  length: number;
}

/** Takes documents, in pieces if they are long, and gives rows as they become full. */
export interface Packer {
  /** `ids`: the next piece of the current document; `ends`: it is its last one. */
  add(ids: readonly number[], ends: boolean): Row[];
  /** Documents cut at the length of a row. */
  readonly truncated: number;
  /** Tokens that are in no row: what was cut off, or the row that is not full yet. */
  readonly dropped: number;
}

/** Documents joined by `endId` and cut every `length` tokens; the last row that is not full is left out. */
export class WrapPacker implements Packer {
  readonly truncated = 0;
  private row: number[] = [];

  constructor(private readonly length: number, private readonly endId: number) {}

  get dropped(): number {
    return this.row.length;
  }

  add(ids: readonly number[], ends: boolean): Row[] {
    const rows: Row[] = [];
    const take = (id: number): void => {
      this.row.push(id);
      if (this.row.length < this.length) return;
      rows.push({ ids: this.row, length: this.length });
      this.row = [];
    };
    for (const id of ids) take(id);
    if (ends) take(this.endId);
    return rows;
  }
}

/** One document a row: `endId` behind it, cut at `length` (the end token too, then), filled up with `padId`. */
export class PadPacker implements Packer {
  truncated = 0;
  dropped = 0;
  private row: number[] = [];
  private tokens = 0;

  constructor(private readonly length: number, private readonly endId: number, private readonly padId: number) {}

  add(ids: readonly number[], ends: boolean): Row[] {
    const piece = ends ? [...ids, this.endId] : ids;
    this.tokens += piece.length;
    // Never more than a row is kept, so a document of any length costs no memory.
    for (const id of piece.slice(0, this.length - this.row.length)) this.row.push(id);
    if (!ends) return [];
    const length = this.row.length;
    if (this.tokens > length) this.truncated++;
    this.dropped += this.tokens - length;
    const row = { ids: this.row.concat(Array<number>(this.length - length).fill(this.padId)), length };
    this.row = [];
    this.tokens = 0;
    return [row];
  }
}
