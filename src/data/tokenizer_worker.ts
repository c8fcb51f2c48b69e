// A thread of tokenizer_pool.ts: takes lists of texts, answers with their ids, in order.

import { parentPort, workerData } from 'node:worker_threads';
import { LdlmError } from '../api/errors.js';
import { loadBackend, type TokenizerKind } from './tokenizer_backend.js';
import type { TokenizerDefinition } from './tokenizer_files.js';
import { packIds, type WorkerAnswer } from './tokenizer_pool.js';
import { type EncodeParts, rememberingWords } from './word_cache.js';

const { json, kind, wide } = workerData as { json: Uint8Array; kind: TokenizerKind; wide: boolean };
const encodeParts = prepareEncoder(JSON.parse(Buffer.from(json).toString('utf8')) as TokenizerDefinition);

async function prepareEncoder(definition: TokenizerDefinition): Promise<EncodeParts> {
  const backend = await loadBackend(definition, kind);
  return rememberingWords((texts) => backend.encodeBatch(texts, false), definition);
}

async function encode(texts: string[]): Promise<void> {
  try {
    const encoded = packIds(await (await encodeParts)(texts), wide);
    answer({ encoded }, encoded.ids.buffer as ArrayBuffer, encoded.lengths.buffer as ArrayBuffer);
  } catch (error) {
    answer({ error: { code: error instanceof LdlmError ? error.code : undefined, message: (error as Error).message } });
  }
}

function answer(message: WorkerAnswer, ...buffers: ArrayBuffer[]): void {
  parentPort!.postMessage(message, buffers);
}

let last = Promise.resolve();
parentPort!.on('message', (texts: string[]) => {
  last = last.then(() => encode(texts)); // one after another: answers are told apart by their order
});
