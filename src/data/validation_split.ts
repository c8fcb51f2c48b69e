// Moves the last documents of a token stream into a data set of their own. Counting from the end needs no second pass over the text.

import { mkdir, rm } from 'node:fs/promises';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';
import type { Manifest, ShardEntry } from './manifest.js';
import { cutToRows, ShardWriter, type WriterState } from './shard_writer.js';
import { readStarts, readStoredDocuments } from './stored_documents.js';

type Layout = Pick<Manifest, 'length' | 'packing' | 'dtype' | 'endId'>;

export interface ValidationShards {
  shards: ShardEntry[];
  rows: number;
  realTokens: number;
  droppedTokens: number;
  truncated: number;
}

/**
 * Copies the last `documents` documents of the stream in `from` into the folder `to`, which is made anew. The stream stays as it is: the
 * caller cuts it at `rest` once the copy is safe.
 */
export async function copyLastDocuments(
  from: string, state: WriterState, documents: number, to: string, layout: Layout, rowsPerShard: number,
): Promise<ValidationShards & { rest: WriterState }> {
  const stored = ShardWriter.stored(layout, state);
  let index = stored.length;
  let wanted = documents;
  while (index > 0 && wanted > 0) wanted -= stored[--index]!.documents;
  if (wanted > 0 || (index === 0 && wanted === 0)) {
    const total = stored.reduce((sum, shard) => sum + shard.documents, 0);
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `validation must be fewer than the documents of the input (${total}), got ${documents}`);
  }
  const first = -wanted; // documents of that shard that stay
  await rm(to, { recursive: true, force: true });
  await mkdir(to).catch(ioError(to, 'a folder that can be made'));
  let writer = await ShardWriter.open(to, layout, rowsPerShard);
  const copy = { realTokens: 0, truncated: 0 };
  try {
    for await (const { ids, begins } of readStoredDocuments(from, layout, stored.slice(index), first)) {
      if (begins !== undefined) writer.beginDocument(begins);
      const real = layout.packing === 'pad' ? begins! : ids.length;
      copy.realTokens += real;
      if (layout.packing === 'pad' && real === layout.length && ids[real - 1] !== layout.endId) copy.truncated++;
      await writer.append(ids);
    }
    const tokens = layout.packing === 'pad' ? first * layout.length : (await readStarts(from, stored[index]!))[first]!;
    const { state: whole, dropped } = await cutToRows(to, layout, await writer.checkpoint());
    await writer.close();
    writer = await ShardWriter.open(to, layout, rowsPerShard, whole);
    const shards = await writer.finish();
    const rest = { shards: state.shards.slice(0, index), open: { tokens, documents: first } };
    return { shards, rows: writer.rows, droppedTokens: dropped, truncated: copy.truncated, realTokens: copy.realTokens - dropped, rest };
  } finally {
    await writer.close();
  }
}
