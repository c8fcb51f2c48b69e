// Tokenizing on several threads: blocks of texts go in, their ids come back packed in one array. Each worker thread has the tokenizer for
// itself and uses one core; that costs less CPU than the native library's own threads.

import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { LdlmError, type LdlmErrorCode } from '../api/errors.js';
import { packageRoot } from '../api/package_root.js';
import type { Tokens } from './shard_writer.js';
import type { Tokenizer } from './tokenizer.js';
import type { TokenizerDefinition } from './tokenizer_files.js';
import { rememberingWords } from './word_cache.js';

/** The ids of several texts, one after another. */
export interface EncodedTexts {
  ids: Tokens;
  /** Tokens of each text. */
  lengths: Uint32Array;
}

/** What a worker answers. */
export type WorkerAnswer = { encoded: EncodedTexts } | { error: { code: LdlmErrorCode | undefined; message: string } };

export interface TokenizerPool extends AsyncDisposable {
  /** Blocks that keep all threads busy. */
  readonly depth: number;
  encode(texts: string[]): Promise<EncodedTexts>;
}

/** @param workers threads; 0 tokenizes without one of our own, which starts at once */
export async function openTokenizerPool(tokenizer: Tokenizer, workers: number): Promise<TokenizerPool> {
  const wide = tokenizer.vocabularySize > 65536;
  if (workers === 0) {
    const definition = JSON.parse(tokenizer.json.toString('utf8')) as TokenizerDefinition;
    const encodeParts = rememberingWords((texts) => tokenizer.encodeBatch(texts), definition);
    return { depth: 2, encode: async (texts) => packIds(await encodeParts(texts), wide), async [Symbol.asyncDispose]() {} };
  }
  return new WorkerPool(tokenizer, workers, wide);
}

/** The ids of each text, which come in parts, as one array. */
export function packIds(texts: readonly (readonly (readonly number[])[])[], wide: boolean): EncodedTexts {
  const lengths = Uint32Array.from(texts, (parts) => parts.reduce((sum, part) => sum + part.length, 0));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const ids = wide ? new Uint32Array(total) : new Uint16Array(total);
  let at = 0;
  for (const parts of texts) for (const part of parts) for (const id of part) ids[at++] = id;
  return { ids, lengths };
}

type Waiting = { resolve: (encoded: EncodedTexts) => void; reject: (error: unknown) => void };

/**
 * The ids are copied out at once, so the young generation can be small. The limit of the old one is far above what a worker takes, but
 * tells V8 to collect sooner: of 445 MB of all threads, 389 were left, at the same speed.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 1024 };

class WorkerPool implements TokenizerPool {
  readonly depth: number;
  private readonly threads: { worker: Worker; waiting: Waiting[] }[];
  private failure: LdlmError | undefined;
  private readonly restore: () => void;

  constructor({ json, kind }: Tokenizer, workers: number, wide: boolean) {
    this.restore = quietNativeThreads();
    this.depth = 2 * workers;
    // The built file, also when this one runs as TypeScript in a test: Node cannot start a thread from TypeScript.
    const file = join(packageRoot(), 'dist', 'data', 'tokenizer_worker.js');
    this.threads = Array.from({ length: workers }, () => {
      const worker = new Worker(file, { workerData: { json, kind, wide }, execArgv: [], resourceLimits });
      const thread = { worker, waiting: [] as Waiting[] };
      const fail = (cause: unknown): void => {
        this.failure ??= new LdlmError('ERR_LDLM_STATE', `a tokenizer thread must stay alive, got: ${String(cause)}`, { cause });
        for (const { reject } of thread.waiting.splice(0)) reject(this.failure);
      };
      worker.on('message', (answer: WorkerAnswer) => {
        const { resolve, reject } = thread.waiting.shift()!;
        if ('encoded' in answer) resolve(answer.encoded);
        else reject(answer.error.code ? new LdlmError(answer.error.code, answer.error.message) : new Error(answer.error.message));
      });
      worker.on('error', fail);
      worker.on('exit', (code) => fail(`exit code ${code}`));
      return thread;
    });
  }

  encode(texts: string[]): Promise<EncodedTexts> {
    if (this.failure) return Promise.reject(this.failure); // a dead thread would never answer
    const thread = this.threads.reduce((least, other) => (other.waiting.length < least.waiting.length ? other : least));
    return new Promise((resolve, reject) => {
      thread.waiting.push({ resolve, reject });
      thread.worker.postMessage(texts);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { worker, waiting } of this.threads) {
      waiting.length = 0;
      worker.removeAllListeners('message'); // an answer on its way when a failure elsewhere ends the pool has nobody left to take it
      worker.removeAllListeners('exit');
      await worker.terminate();
    }
    this.restore();
  }
}

/** The library `tokenizers` reads this variable at every batch; ours to set unless the user has. */
function quietNativeThreads(): () => void {
  const name = 'TOKENIZERS_PARALLELISM';
  if (process.env[name] !== undefined) return () => undefined;
  process.env[name] = 'false';
  return () => delete process.env[name];
}
