// manifest.json of a folder of token shards: what is in it and what made it. prepare.ts writes it, shards.ts trusts nothing
// that it has not checked against it.

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
    .describe('real length of each row, end token included, little-endian uint16 [rows]; null when every row is full'),
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
  droppedTokens: whole.describe('wrap: the last row, which was not full; pad: what was cut off'),
  documents: whole,
  truncated: whole.describe('documents that were cut at length'),
  tokenizer: z.strictObject({ kind: z.string(), version: z.string(), sha256 }),
  inputs: z.array(z.strictObject({ name: z.string(), bytes: whole, sha256 })),
  shards: z.array(shardSchema).min(1),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ShardEntry = Manifest['shards'][number];

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
