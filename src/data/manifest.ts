// manifest.json of a folder of token shards: what is in it and what made it. prepare.ts writes it, shards.ts trusts nothing
// that it has not checked against it.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';

export const manifestName = 'manifest.json';

const whole = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Names are fixed, so that a manifest cannot point outside its folder. */
const shardSchema = z.strictObject({
  file: z.string().regex(/^shard-\d{5}\.bin$/).describe('ids, row-major [rows, length], little-endian dtype'),
  rows: z.int().min(1),
  sha256,
  lengths: z
    .strictObject({ file: z.string().regex(/^shard-\d{5}\.lengths\.bin$/), sha256 })
    .nullable()
    .describe('pad: real length of each row, end token included, little-endian uint16 [rows]'),
  documents: z
    .strictObject({ file: z.string().regex(/^shard-\d{5}\.documents\.bin$/), sha256, count: whole })
    .nullable()
    .default(null)
    .describe('wrap: the tokens of the shard that begin a document, little-endian uint32 [count]'),
});

/** What was asked for. With the tokenizer and the inputs it decides every byte of the shards. */
const sourceSchema = z.strictObject({
  column: z.string(),
  detokenize: z.string().nullable(),
  invalidUtf8: z.enum(['stop', 'replace']),
  dedup: z.enum(['exact']).nullable(),
  validation: whole.describe('documents at the end of the input that are in the folder `validation`, a data set of its own'),
});

const manifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  rows: z.int().min(1),
  length: z.int().min(1).max(65535).describe('L: tokens of a row'),
  packing: z.enum(['wrap', 'pad']),
  vocabulary: z.int().min(1).describe('every id is below it'),
  dtype: z.enum(['uint16', 'uint32']),
  endId: whole,
  padId: whole.describe('fills rows up to length; the end token if the tokenizer has no padding token'),
  tokens: whole.describe('rows * length'),
  realTokens: whole.describe('tokens without padding'),
  droppedTokens: whole.describe('wrap: the last row, which was not full; pad: what was cut off, from validation documents too'),
  documents: whole,
  truncated: whole.describe('documents that were cut at length, validation documents too'),
  empty: whole.default(0).describe('documents without text, left out'),
  duplicates: whole.default(0).describe('documents equal to an earlier one, left out'),
  repaired: whole.default(0).describe('documents in which something that is no text was replaced by U+FFFD'),
  split: z.enum(['train', 'validation']).default('train'),
  source: sourceSchema.nullable().default(null),
  tokenizer: z.strictObject({ kind: z.string(), version: z.string(), sha256 }),
  versions: z.record(z.string(), z.string()).default({}).describe('of this package, of Node and of the libraries that read the files'),
  inputs: z.array(z.strictObject({ name: z.string(), bytes: whole, sha256 })),
  shards: z.array(shardSchema).min(1),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ShardEntry = Manifest['shards'][number];
export type Source = z.infer<typeof sourceSchema>;

/** Schema of a list of shards, for the state of a run that is not finished. */
export const shardsSchema = z.array(shardSchema);

/** A hash of all rows in their order, from those of the shards. */
export function hashOfRows({ shards }: Pick<Manifest, 'shards'>): string {
  const hash = createHash('sha256');
  for (const { sha256: ids, lengths } of shards) hash.update(`${ids} ${lengths?.sha256 ?? ''}\n`);
  return hash.digest('hex');
}

/** Bytes of one id. */
export function idBytes({ dtype }: Pick<Manifest, 'dtype'>): 2 | 4 {
  return dtype === 'uint16' ? 2 : 4;
}

/** @throws LdlmError ERR_LDLM_IO if `dir` has no manifest or a wrong one */
export async function readManifest(dir: string): Promise<Manifest> {
  const file = join(dir, manifestName);
  const text = await readFile(file, 'utf8').catch(ioError(file, 'the manifest of a folder made by `ldlm prepare`'));
  const result = manifestSchema.safeParse(parseJson(text, file));
  if (!result.success) throw new LdlmError('ERR_LDLM_IO', `${file} must be a manifest of token shards, got: ${z.prettifyError(result.error)}`);
  const manifest = result.data;
  const rows = manifest.shards.reduce((sum, shard) => sum + shard.rows, 0);
  if (rows !== manifest.rows) throw new LdlmError('ERR_LDLM_IO', `${file}: rows must be the sum over its shards (${rows}), got ${manifest.rows}`);
  return manifest;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LdlmError('ERR_LDLM_IO', `${file} must hold JSON, got: ${String(cause)}`, { cause });
  }
}
