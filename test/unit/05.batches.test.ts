import { describe, expect, it } from 'vitest';
import { batches, type Batch } from '../../src/data/batches.js';
import { batchRows } from '../../src/data/row_order.js';
import type { Shards } from '../../src/data/shards.js';

/** The rows of `steps` steps, in order. */
function order(rows: number, batch: number, seed: number, steps: number): number[] {
  return Array.from({ length: steps }, (_, step) => [...batchRows(rows, batch, seed, step)]).flat();
}

describe('batchRows', () => {
  it.each([[1, 1], [2, 3], [7, 3], [10, 4], [16, 16], [97, 32], [1000, 64], [65537, 512]])(
    'takes each of %i rows once an epoch, in batches of %i that flow into the next epoch',
    (rows, batch) => {
      const steps = Math.ceil((2 * rows) / batch);
      const rowsInOrder = order(rows, batch, 3, steps);
      for (const epoch of [0, 1]) {
        const seen = rowsInOrder.slice(epoch * rows, (epoch + 1) * rows).sort((a, b) => a - b);
        expect(seen).toEqual(Array.from({ length: rows }, (_, i) => i));
      }
    },
  );

  it('does not depend on the size of the batch', () => {
    expect(order(100, 10, 5, 30)).toEqual(order(100, 25, 5, 12));
  });

  it('is another order for another epoch and another seed, also one above 2^32, and the same for the same', () => {
    const [first, second] = [order(1000, 1000, 1, 1), [...batchRows(1000, 1000, 1, 1)]];
    const sharedPlaces = (a: number[], b: number[]) => a.filter((row, i) => row === b[i]).length;
    expect(sharedPlaces(first, second)).toBeLessThan(10); // 1 is expected of independent permutations
    expect(sharedPlaces(first, order(1000, 1000, 2, 1))).toBeLessThan(10);
    expect(sharedPlaces(first, order(1000, 1000, 2 ** 32 + 1, 1))).toBeLessThan(10);
    expect(order(1000, 1000, 1, 1)).toEqual(first);
  });

  it('shuffles evenly: every row comes first about equally often, and neighbours do not stay together', () => {
    const [rows, trials] = [11, 11_000];
    const counts = new Array<number>(rows).fill(0);
    for (let seed = 0; seed < trials; seed++) counts[batchRows(rows, 1, seed, 0)[0]!]!++;
    const expected = trials / rows;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(29.6); // 99.9 % quantile for 10 degrees of freedom
    const long = order(10_000, 10_000, 1, 1);
    const neighbours = long.filter((row, i) => Math.abs(row - (long[i + 1] ?? 0)) === 1).length;
    expect(neighbours).toBeLessThan(15); // 2 are expected
    const meanStep = long.reduce((sum, row, i) => sum + Math.abs(row - (long[i - 1] ?? 5000)), 0) / long.length;
    expect(meanStep / 10_000).toBeCloseTo(1 / 3, 1); // |a - b| of independent places
  });

  it.each([
    [0, 1, 0, 0, 'rows must be a whole number >= 1, got 0'],
    [1, 0, 0, 0, 'batch must be a whole number >= 1, got 0'],
    [1, 1, -1, 0, 'seed must be a whole number >= 0, got -1'],
    [1, 1, 0, 0.5, 'step must be a whole number >= 0, got 0.5'],
  ])('refuses %d rows, batch %d, seed %d, step %d', (rows, batch, seed, step, message) => {
    expect(() => batchRows(rows, batch, seed, step)).toThrow(message);
  });
});

describe('batches', () => {
  /** A data set of `rows` rows of one token, its own number; it records what is asked of it. */
  function numbers(rows: number) {
    const asked: number[] = [];
    const shards = {
      rows,
      async read(indices: Uint32Array) {
        asked.push(asked.length);
        return { ids: Int32Array.from(indices), lengths: new Int32Array(indices.length).fill(1) };
      },
    } as unknown as Shards;
    return { shards, asked };
  }

  async function take(shards: Shards, fromStep: number, count: number): Promise<Batch[]> {
    const taken: Batch[] = [];
    for await (const batch of batches(shards, { batch: 4, seed: 9, fromStep })) {
      taken.push(batch);
      if (taken.length === count) break;
    }
    return taken;
  }

  it('continues from a step exactly as if it had never stopped', async () => {
    const { shards } = numbers(10);
    const all = await take(shards, 0, 12);
    expect(await take(shards, 5, 7)).toEqual(all.slice(5));
    expect(all.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(all.map(({ epoch }) => epoch)).toEqual([0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4]);
  });

  it.each([[undefined, 2], [0, 0], [5, 5]])('has the next batches under way, and no more than that (ahead %s)', async (ahead, expected) => {
    const { shards, asked } = numbers(10);
    const stream = batches(shards, { batch: 4, seed: 0, fromStep: 0, ...(ahead !== undefined && { ahead }) });
    await stream.next();
    expect(asked.length).toBe(1 + expected);
    await stream.next();
    expect(asked.length).toBe(2 + expected);
    await stream.return(undefined as never);
  });

  it('gives each rank a slice of its own; together they are the batch', async () => {
    const { shards } = numbers(100);
    const options = { batch: 12, seed: 3, fromStep: 5 };
    const first = async (slice: object) => (await batches(shards, { ...options, ...slice }).next()).value.ids;
    const slices = await Promise.all([0, 1, 2].map((rank) => first({ rank, ranks: 3 })));
    expect(slices.map((ids) => ids.length)).toEqual([4, 4, 4]);
    expect(slices.flatMap((ids) => [...ids])).toEqual([...(await first({}))]);
    await expect(first({ rank: 3, ranks: 3 })).rejects.toThrow(/rank must be in 0\.\.ranks - 1/);
    await expect(first({ rank: 0, ranks: 5 })).rejects.toThrow(/batch a multiple of ranks, got rank 0, ranks 5, batch 12/);
  });

  it('reports a failed read when that batch is asked for, and not when the loop was left before', async () => {
    let reads = 0;
    const shards = {
      rows: 10,
      async read() {
        if (++reads > 1) throw new Error('disk gone');
        return { ids: new Int32Array(4), lengths: new Int32Array(4) };
      },
    } as unknown as Shards;
    expect(await take(shards, 0, 1)).toHaveLength(1);
    reads = 0;
    await expect(take(shards, 0, 2)).rejects.toThrow('disk gone');
  });
});
