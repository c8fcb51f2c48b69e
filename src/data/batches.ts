// The training batches of a data set, in the order of row_order.ts, read one ahead so that the next batch is ready when a step ends.

import { batchRows, epochOf } from './row_order.js';
import type { RowBatch, Shards } from './shards.js';

export { batchRows } from './row_order.js';

export interface BatchesOptions {
  /** B: rows of a batch. */
  batch: number;
  /** Seed of the order, a whole number >= 0. */
  seed: number;
  /** First step to give, counted from 0: the number of steps already done. */
  fromStep: number;
}

/** The batch of one training step. */
export interface Batch extends RowBatch {
  step: number;
  /** Passes over the data that were complete when the batch began. */
  epoch: number;
}

/**
 * Batches without end, from `fromStep` on; leave the loop to stop.
 * @example for await (const { step, ids, lengths } of batches(data, { batch: 32, seed: 0, fromStep: 0 })) { ... }
 */
export async function* batches(shards: Shards, options: BatchesOptions): AsyncGenerator<Batch, never> {
  const { batch, seed } = options;
  const load = async (step: number): Promise<Batch> => {
    const { ids, lengths } = await shards.read(batchRows(shards.rows, batch, seed, step));
    return { step, epoch: epochOf(shards.rows, batch, step), ids, lengths };
  };
  let next = load(options.fromStep);
  for (let step = options.fromStep + 1; ; step++) {
    const current = await next;
    next = load(step);
    next.catch(() => undefined); // reported when it is asked for; the loop may be left before that
    yield current;
  }
}
