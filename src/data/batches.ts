// The training batches of a data set, in the order of row_order.ts, read ahead so that the next batch is ready when a step ends.

import { LdlmError } from '../api/errors.js';
import { batchRows, epochOf } from './row_order.js';
import type { RowBatch, Shards } from './shards.js';

export { batchRows } from './row_order.js';

export interface BatchesOptions {
  /** B: rows of a batch, of all ranks together. */
  batch: number;
  /** Seed of the order, a whole number >= 0. */
  seed: number;
  /** First step to give, counted from 0: the number of steps already done. */
  fromStep: number;
  /** Which of the `ranks` equal slices of every batch; default 0 of 1. The slices are disjoint, and together they are the batch. */
  rank?: number;
  ranks?: number;
  /** Batches that are being read ahead; default 2, so that one slow read does not stop training. */
  ahead?: number;
}

/** The batch of one training step. */
export interface Batch extends RowBatch {
  step: number;
  /** Passes over the data that were complete when the batch of all ranks began. */
  epoch: number;
}

/**
 * Batches without end, from `fromStep` on; leave the loop to stop.
 * @example for await (const { step, ids, lengths } of batches(data, { batch: 32, seed: 0, fromStep: 0 })) { ... }
 */
export async function* batches(shards: Shards, options: BatchesOptions): AsyncGenerator<Batch, never> {
  const { batch, seed, fromStep, rank = 0, ranks = 1, ahead = 2 } = options;
  if (!(Number.isInteger(batch / ranks) && Number.isInteger(rank) && rank >= 0 && rank < ranks)) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `rank must be in 0..ranks - 1 and batch a multiple of ranks, got rank ${rank}, ranks ${ranks}, batch ${batch}`);
  }
  const size = batch / ranks;
  const load = async (step: number): Promise<Batch> => {
    const rows = batchRows(shards.rows, batch, seed, step).subarray(rank * size, (rank + 1) * size);
    const { ids, lengths } = await shards.read(rows);
    return { step, epoch: epochOf(shards.rows, batch, step), ids, lengths };
  };
  const queue: Promise<Batch>[] = [];
  for (let step = fromStep; ; ) {
    while (queue.length <= ahead) {
      const next = load(step++);
      next.catch(() => undefined); // reported when it is asked for; the loop may be left before that
      queue.push(next);
    }
    yield await queue.shift()!;
  }
}
