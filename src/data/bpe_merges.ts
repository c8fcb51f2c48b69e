// Learns the merges of a byte-level BPE (Sennrich et al. 2016) from word counts. Pair counts are kept up to date merge by merge, touching only
// the words that hold the merged pair, and a heap with stale entries finds the next best pair.

/** What was learned: symbols by number (first the 256 bytes, then new ones), and the pairs that become one, first to last. */
export interface LearnedMerges {
  symbols: string[];
  merges: [left: string, right: string][];
}

/** Pairs of symbols are keys of maps: left * base + right, exact as long as there are fewer than 2^21 symbols. */
const base = 2 ** 21;

/**
 * At most `count` new symbols, most frequent pair first, ties by the smaller pair; pairs that occur once only are not merged.
 * @param words how often each word (a piece of text that merges do not cross) occurs
 * @param byteSymbols how each of the 256 bytes is spelled
 */
export function learnMerges(words: ReadonlyMap<string, number>, byteSymbols: readonly string[], count: number): LearnedMerges {
  const encoder = new TextEncoder();
  const spelled = Array.from(words.keys(), (word) => Array.from(encoder.encode(word)));
  const weights = Array.from(words.values());
  const pairs = new PairCounts();
  spelled.forEach((word, index) => forEachPair(word, (pair) => pairs.add(pair, weights[index]!, index)));

  const symbols = [...byteSymbols];
  const numberOf = new Map(symbols.map((symbol, number) => [symbol, number]));
  const merges: [string, string][] = [];
  const merged = new Set<number>();
  while (symbols.length < 256 + count) {
    const pair = pairs.takeBest();
    if (pair === undefined) break;
    const left = Math.floor(pair / base);
    const right = pair % base;
    const symbol = symbols[left]! + symbols[right]!;
    // Different pairs can spell the same symbol (a + bc, ab + c); it keeps one number, and so its pairs may come up again.
    const made = numberOf.get(symbol) ?? symbols.push(symbol) - 1;
    numberOf.set(symbol, made);
    if (!merged.has(pair)) merges.push([symbols[left]!, symbols[right]!]);
    merged.add(pair);
    for (const index of pairs.take(pair)) {
      const before = spelled[index]!;
      const after = applyMerge(before, left, right, made);
      if (after.length === before.length) continue; // an earlier merge has taken the pair away
      forEachPair(before, (old) => pairs.subtract(old, weights[index]!));
      forEachPair(after, (fresh) => pairs.add(fresh, weights[index]!, index));
      spelled[index] = after;
    }
  }
  return { symbols, merges };
}

function forEachPair(word: readonly number[], visit: (pair: number) => void): void {
  for (let i = 1; i < word.length; i++) visit(word[i - 1]! * base + word[i]!);
}

function applyMerge(word: readonly number[], left: number, right: number, made: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) {
      result.push(made);
      i++;
    } else {
      result.push(word[i]!);
    }
  }
  return result;
}

/** How often each pair occurs, in which words it may occur, and which is the most frequent. */
class PairCounts {
  private readonly counts = new Map<number, number>();
  private readonly words = new Map<number, Set<number>>();
  /** A binary heap of [count, pair]; an entry whose count is no longer true is corrected when it comes up. */
  private readonly heap: [count: number, pair: number][] = [];
  /** Pairs whose count has grown since their entry, or that have none yet. */
  private readonly grown = new Set<number>();

  add(pair: number, weight: number, word: number): void {
    this.counts.set(pair, (this.counts.get(pair) ?? 0) + weight);
    this.grown.add(pair);
    const words = this.words.get(pair);
    if (words) words.add(word);
    else this.words.set(pair, new Set([word]));
  }

  subtract(pair: number, weight: number): void {
    this.counts.set(pair, this.counts.get(pair)! - weight);
  }

  /** The words that may hold `pair`; they are counted anew as they lose it. */
  take(pair: number): Iterable<number> {
    const words = this.words.get(pair) ?? [];
    this.words.delete(pair);
    return words;
  }

  /** The most frequent pair, if it occurs at least twice. */
  takeBest(): number | undefined {
    for (const pair of this.grown) this.push([this.counts.get(pair)!, pair]);
    this.grown.clear();
    for (let top = this.pop(); top !== undefined; top = this.pop()) {
      const count = this.counts.get(top[1]) ?? 0;
      if (count < 2) continue;
      if (count === top[0]) return top[1];
      // Counts that fell: back into the heap with the true one. Counts that grew have another entry already.
      if (count < top[0]) this.push([count, top[1]]);
    }
    return undefined;
  }

  private push(entry: [number, number]): void {
    const { heap } = this;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBetter(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  private pop(): [number, number] | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBetter(heap[child + 1]!, heap[child]!)) child++;
      if (!isBetter(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function isBetter(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] > b[0] || (a[0] === b[0] && a[1] < b[1]);
}
