// The files of weights of a folder in the Hugging Face layout: model.safetensors, or else the shards that its index names. What else lies there
// is not read.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LdlmError } from '../api/errors.js';
import { hashFiles } from '../data/hash_files.js';

export const WEIGHTS = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';

const indexShape = z.object({ weight_map: z.record(z.string(), z.string().regex(/^[\w][\w.-]*\.safetensors$/)) });

/** The names of the shards, in order. */
export async function shardsOf(folder: string): Promise<string[]> {
  const index = indexShape.safeParse(JSON.parse(await readFile(join(folder, INDEX), 'utf8')));
  if (!index.success) throw new LdlmError('ERR_LDLM_IO', `${join(folder, INDEX)} must name the shards of the weights: ${z.prettifyError(index.error)}`);
  return [...new Set(Object.values(index.data.weight_map))].sort();
}

/** SHA-256 over the files of weights, in hex. */
export async function hashWeights(folder: string): Promise<string> {
  const whole = await stat(join(folder, WEIGHTS)).then(() => true, () => false);
  const names = whole ? [WEIGHTS] : await shardsOf(folder);
  return hashFiles(names.map((name) => join(folder, name)));
}
