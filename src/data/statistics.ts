// What is in a data set: lengths of documents, how often tokens come, how many are unknown, how many documents are there twice. One pass
// over the shards; memory is that of the counts and of 9 to 14 bytes a document.

import { createHash } from 'node:crypto';
import { ExactSet } from './exact_set.js';
import type { Manifest } from './manifest.js';
import { openShards } from './shards.js';
import { readStoredDocuments, storedShard } from './stored_documents.js';
import { Tokenizer } from './tokenizer.js';

/** A token and how often it comes. */
export interface TokenCount {
  id: number;
  /** As text; several bytes of one character give U+FFFD. */
  text: string;
  count: number;
  /** Of all tokens, end tokens included, padding not. */
  share: number;
}

/** Documents of `from` to `to` (included) tokens, the end token included. */
export interface LengthBin {
  from: number;
  to: number;
  documents: number;
}

export interface DataStatistics {
  dir: string;
  rows: number;
  length: number;
  packing: 'wrap' | 'pad';
  documents: number;
  /** Real tokens in rows, end tokens included. */
  tokens: number;
  /** Share of the rows that is padding. */
  padding: number;
  /** Of documents, in tokens as they are in the rows: cut ones count as they are. */
  lengths: { mean: number; shortest: number; median: number; p90: number; p99: number; longest: number; histogram: LengthBin[] };
  /** Entropy of single tokens. */
  unigramEntropy: { nats: number; bits: number };
  /** Ids that occur, and all that there are. */
  vocabulary: { used: number; size: number };
  /** Null if the tokenizer has no unknown token. */
  unknown: { count: number; share: number } | null;
  /** Documents equal to an earlier one, token by token. */
  duplicates: { count: number; share: number };
  /** Counts of all ids that occur, most frequent first. */
  frequencies: number[];
  top: TokenCount[];
}

export interface DataStatisticsOptions {
  /** How many of the most frequent tokens; default 50. */
  top?: number;
  onProgress?: (tokens: number, totalTokens: number) => void;
}

/**
 * Measures the data set in `dir`.
 * @throws LdlmError ERR_LDLM_IO if it is damaged
 * @example console.log((await dataStatistics('data/owt')).unigramEntropy.nats);
 */
export async function dataStatistics(dir: string, options: DataStatisticsOptions = {}): Promise<DataStatistics> {
  await using shards = await openShards(dir, { inMemoryBytes: 0 });
  const { manifest } = shards;
  const tokenizer = await Tokenizer.load(dir);
  const tally = new Tally(manifest);
  let read = 0;
  for await (const { ids, begins } of readStoredDocuments(dir, manifest, manifest.shards.map((entry) => storedShard(entry, manifest)))) {
    const isPad = manifest.packing === 'pad';
    if (begins !== undefined) tally.begin();
    tally.add(isPad ? ids.subarray(0, begins) : ids);
    options.onProgress?.((read += ids.length), manifest.tokens);
  }
  tally.begin();
  return tally.result(dir, tokenizer, options.top ?? 50);
}

class Tally {
  private readonly counts: Float64Array;
  private readonly lengths = new Map<number, number>();
  private readonly seen = new ExactSet();
  private documents = 0;
  private duplicates = 0;
  private length = 0;
  private hash = createHash('sha256');

  constructor(private readonly manifest: Manifest) {
    this.counts = new Float64Array(manifest.vocabulary);
  }

  /** The document so far has ended. */
  begin(): void {
    if (this.length === 0) return;
    this.documents++;
    this.lengths.set(this.length, (this.lengths.get(this.length) ?? 0) + 1);
    if (!this.seen.add(this.hash.digest().readBigUInt64LE() || 1n)) this.duplicates++;
    this.hash = createHash('sha256');
    this.length = 0;
  }

  add(ids: Uint16Array | Uint32Array): void {
    for (const id of ids) this.counts[id]!++;
    this.hash.update(ids);
    this.length += ids.length;
  }

  async result(dir: string, tokenizer: Tokenizer, top: number): Promise<DataStatistics> {
    const { rows, length, packing, vocabulary } = this.manifest;
    const order = Array.from(this.counts.keys()).filter((id) => this.counts[id]! > 0).sort((a, b) => this.counts[b]! - this.counts[a]! || a - b);
    const tokens = this.counts.reduce((sum, count) => sum + count, 0);
    const nats = -order.reduce((sum, id) => sum + (this.counts[id]! / tokens) * Math.log(this.counts[id]! / tokens), 0);
    const ids = order.slice(0, top);
    const texts = await tokenizer.decodeBatch(ids.map((id) => [id]), { keepSpecialTokens: true });
    const unknown = tokenizer.unknownId === null ? null : this.counts[tokenizer.unknownId]!;
    return {
      dir, rows, length, packing,
      documents: this.documents,
      tokens,
      padding: 1 - tokens / this.manifest.tokens,
      lengths: describeLengths(this.lengths),
      unigramEntropy: { nats, bits: nats / Math.LN2 },
      vocabulary: { used: order.length, size: vocabulary },
      unknown: unknown === null ? null : { count: unknown, share: unknown / tokens },
      duplicates: { count: this.duplicates, share: this.duplicates / this.documents },
      frequencies: order.map((id) => this.counts[id]!),
      top: ids.map((id, index) => ({ id, text: texts[index]!, count: this.counts[id]!, share: this.counts[id]! / tokens })),
    };
  }
}

function describeLengths(counts: ReadonlyMap<number, number>): DataStatistics['lengths'] {
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const documents = sorted.reduce((sum, [, count]) => sum + count, 0);
  const quantile = (share: number): number => {
    let below = 0;
    return sorted.find(([, count]) => (below += count) >= share * documents)![0];
  };
  const mean = sorted.reduce((sum, [length, count]) => sum + length * count, 0) / documents;
  const [shortest, longest] = [sorted[0]![0], sorted.at(-1)![0]];
  return { mean, shortest, median: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), longest, histogram: histogramOf(sorted, shortest, longest) };
}

/** Bins of equal width, or, where the longest is many times the shortest, of equal ratio. */
function histogramOf(sorted: readonly [number, number][], shortest: number, longest: number): LengthBin[] {
  const wanted = Math.min(32, longest - shortest + 1);
  const isWide = longest > 50 * shortest && longest > 200;
  const edge = (i: number): number => (isWide ? shortest * ((longest + 1) / shortest) ** (i / wanted) : shortest + ((longest + 1 - shortest) * i) / wanted);
  const edges = [...new Set(Array.from({ length: wanted + 1 }, (_, i) => Math.round(edge(i))))];
  const bins = edges.slice(0, -1).map((from, i) => ({ from, to: edges[i + 1]! - 1, documents: 0 }));
  for (const [length, count] of sorted) bins.find(({ to }) => length <= to)!.documents += count;
  return bins;
}
