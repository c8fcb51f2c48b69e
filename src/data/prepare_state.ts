// How far an unfinished `prepare` is: state.json in its work folder. It is replaced as a whole after everything it speaks of is on the disk.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from './atomic.js';
import { shardsSchema } from './manifest.js';

export const stateName = 'state.json';

const whole = z.int().min(0);

const stateSchema = z.strictObject({
  key: z.string().describe('inputs and options; another key means another data set'),
  position: z.strictObject({ file: whole, record: whole, offset: whole }),
  counts: z.strictObject({ documents: whole, empty: whole, duplicates: whole, repaired: whole }),
  packer: z.strictObject({ realTokens: whole, truncated: whole, dropped: whole }),
  writer: z.strictObject({ shards: shardsSchema, open: z.strictObject({ tokens: whole, documents: whole }).nullable() }),
  inputHashes: z.array(z.string()).describe('of the files that are done'),
  digests: whole.describe('entries of digests.bin'),
  cut: z
    .strictObject({ dropped: whole, validation: z.strictObject({ documents: whole, realTokens: whole }) })
    .nullable()
    .describe('all is tokenized; `writer` is without the validation documents, which are in their folder, and without `dropped` tokens'),
});

export type PrepareState = z.infer<typeof stateSchema>;

export function newState(key: string): PrepareState {
  return {
    key,
    position: { file: 0, record: 0, offset: 0 },
    counts: { documents: 0, empty: 0, duplicates: 0, repaired: 0 },
    packer: { realTokens: 0, truncated: 0, dropped: 0 },
    writer: { shards: [], open: null },
    inputHashes: [],
    digests: 0,
    cut: null,
  };
}

/** The state in `dir`; null if there is none, or one of another version. */
export async function readState(dir: string): Promise<PrepareState | null> {
  const text = await readFile(join(dir, stateName), 'utf8').catch(() => 'null');
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export function writeState(dir: string, state: PrepareState): Promise<void> {
  return writeFileAtomic(join(dir, stateName), JSON.stringify(state));
}
