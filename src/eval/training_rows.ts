// The training set as rows of the model's token ids, for the protocol that asks what of it was learnt by heart.

import { LdlmError } from '../api/errors.js';
import { hashOfRows } from '../data/manifest.js';
import { openShards, type Shards } from '../data/shards.js';
import type { EvaluatedModel } from './evaluated_model.js';

export type TokenRows = Iterable<ArrayLike<number>> | AsyncIterable<ArrayLike<number>>;

const ROWS_AT_ONCE = 256;

/** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT if what `model` was trained on is not at `config.data.path` any more */
export async function checkTrainingSet(model: EvaluatedModel): Promise<void> {
  await using _ = await openTrainingSet(model, { inMemoryBytes: 0 });
}

/**
 * The rows that `model` was trained on, without the end token of padded rows: samples have none either.
 * @throws LdlmError as `checkTrainingSet`
 */
export async function* trainingRows(model: EvaluatedModel, onProgress?: (done: number, total: number) => void): AsyncGenerator<Int32Array> {
  await using data = await openTrainingSet(model);
  const { endId } = model.tokenizer;
  for (let first = 0; first < data.rows; first += ROWS_AT_ONCE) {
    const rows = Uint32Array.from({ length: Math.min(ROWS_AT_ONCE, data.rows - first) }, (_, i) => first + i);
    const { ids, lengths } = await data.read(rows);
    for (let i = 0; i < rows.length; i++) {
      const row = ids.subarray(i * data.length, i * data.length + lengths[i]!);
      yield data.packing === 'pad' && row.at(-1) === endId ? row.subarray(0, -1) : row;
    }
    onProgress?.(first + rows.length, data.rows);
  }
}

async function openTrainingSet(model: EvaluatedModel, options: { inMemoryBytes?: number } = {}): Promise<Shards> {
  const { path } = model.config.data;
  const data = await openShards(path, options).catch((cause: unknown) => {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `memorisation/v1 must have the training set, got none at the model's data.path '${path}'. Give --training FILE`, { cause });
  });
  const { dataSha256 } = model.checkpoint.state; // checkpoints of before there was a hash have none
  const other = data.manifest.tokenizer.sha256 !== model.tokenizer.sha256 ? 'made with another tokenizer' : dataSha256 !== undefined && hashOfRows(data.manifest) !== dataSha256 ? 'of other rows' : null;
  if (other === null) return data;
  await data[Symbol.asyncDispose]();
  throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `memorisation/v1 must have the data that the model was trained on, got some ${other} in ${path}. Give --training FILE`);
}
