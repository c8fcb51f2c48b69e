// Pretraining of a small GPT-2-style causal LM on the user's own tokens, so that the chain works without any pretrained model.
// Writes a Hugging Face layout folder: config.json, model.safetensors, tokenizer.json.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../data/atomic.js';
import { namesIn } from '../data/names_in.js';
import { batches } from '../data/batches.js';
import type { Shards } from '../data/shards.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { callNative } from './call_native.js';
import { LdlmError } from './errors.js';
import { loadNative } from './native.js';
import type { NativeLmTrainer } from './native_types.js';

export interface LmConfig {
  layers: number;
  width: number;
  heads: number;
  steps: number;
  batch: number;
  lr: number;
  /**
   * Weight of naming the current token from hidden state `identityLayer`. A small LM forgets words that do not matter for what
   * follows, and an LDLM built on it could then not give them back.
   */
  identityWeight: number;
  /** As `encoder.layer`: the hidden state that the LDLM will read. */
  identityLayer: number;
  seed: number;
}

/** What `ldlm pretrain` and the demo start from. */
export function lmDefaults(): LmConfig {
  return { layers: 6, width: 128, heads: 4, steps: 1000, batch: 32, lr: 2e-3, identityWeight: 0.3, identityLayer: -3, seed: 0 };
}

export interface LmProgress {
  step: number;
  /** Cross-entropy of the next token, nats. */
  loss: number;
  /** Share of tokens named from the hidden state that the LDLM will read. */
  identityAccuracy: number;
}

export interface LmResult {
  /** exp of the mean cross-entropy on rows that were held out. */
  validationPerplexity: number;
  identityAccuracy: number;
}

export interface LmPretrainOptions {
  data: Shards;
  tokenizer: Tokenizer;
  /** The folder to write, new or empty. */
  out: string;
  /** Writes over a model that is already in `out`; default false. */
  replace?: boolean;
  signal?: AbortSignal;
}

/** Parts a batch is cut into; as many cores work at once, and the result is the same for any number of them. */
const MICRO_BATCHES = 2;
const LARGEST_VALIDATION = 512;

/**
 * Trains on all rows of `data` but a held-out fiftieth, yielding progress every ten steps, and writes the folder `out` at the end.
 * @throws LdlmError ERR_LDLM_CONFIG for impossible sizes, ERR_LDLM_IO if there is something in `out`, ERR_LDLM_ABORTED when `signal` aborts (nothing is written then)
 */
export async function* pretrainLm(
  config: LmConfig,
  options: LmPretrainOptions,
): AsyncGenerator<LmProgress, LmResult, undefined> {
  const { data, tokenizer, out, replace = false, signal } = options;
  checkLm(config);
  await requireFreeForModel(out, replace);
  if (data.rows < 2) throw new LdlmError('ERR_LDLM_CONFIG', `the data must hold at least 2 rows of ${data.length} tokens, got ${data.rows}. Give more text or a smaller --length`);
  const held = Math.min(LARGEST_VALIDATION, Math.max(1, Math.floor(data.rows / 50)));
  const training: Shards = Object.create(data, { rows: { value: data.rows - held } }) as Shards;
  const vocabulary = tokenizer.vocabularySize;
  const native = await callNative(() => loadNative().LmTrainer.create(nativeConfig(config, vocabulary, data.length)));
  try {
    for await (const { step, ids, lengths } of batches(training, { batch: config.batch, seed: config.seed, fromStep: 0 })) {
      if (signal?.aborted) throw new LdlmError('ERR_LDLM_ABORTED', 'pretraining was stopped; nothing was written, since half a schedule makes no good model');
      const { nextTokenLoss, identityAccuracy } = await callNative(() => native.step(ids, lengths));
      const done = step + 1;
      if (done % 10 === 0 || done === config.steps) yield { step: done, loss: nextTokenLoss, identityAccuracy };
      if (done === config.steps) break;
    }
    const result = await validate(native, data, held);
    await write(native, config, { vocabulary, length: data.length, tokenizer, out });
    return result;
  } finally {
    await native.dispose();
  }
}

/**
 * Only a new or empty folder, or, with `replace`, one with a model may be written to.
 * @throws LdlmError ERR_LDLM_IO
 */
export async function requireFreeForModel(out: string, replace: boolean): Promise<void> {
  const names = await namesIn(out);
  if (names.length === 0) return;
  const isModel = names.includes('model.safetensors');
  if (!replace) throw new LdlmError('ERR_LDLM_IO', `${out} must be a new or empty folder, got ${isModel ? 'a model' : 'one with files in it'}; choose another${isModel ? ' or replace it (--force; in programs replace: true)' : ''}`);
  if (!isModel) throw new LdlmError('ERR_LDLM_IO', `${out} must be a model (a folder with model.safetensors) to be replaced, got something else; delete it yourself or choose another`);
}

/** @throws LdlmError ERR_LDLM_CONFIG naming the field, what it must be and what it was */
export function checkLm({ layers, width, heads, steps, batch, lr, identityWeight, identityLayer }: LmConfig): void {
  const require = (ok: boolean, what: string): void => {
    if (!ok) throw new LdlmError('ERR_LDLM_CONFIG', what);
  };
  require(Number.isSafeInteger(steps) && steps >= 1, `steps must be a whole number >= 1, got ${steps}`);
  require(width % heads === 0, `heads must divide width (${width}), got ${heads}`);
  require(batch % MICRO_BATCHES === 0, `batch must be even, got ${batch}`);
  require(identityLayer >= -layers - 1 && identityLayer <= layers, `identityLayer must be in ${-layers - 1}..${layers}, got ${identityLayer}`);
  require(lr > 0, `lr must be > 0, got ${lr}`);
  require(identityWeight >= 0, `identityWeight must be >= 0, got ${identityWeight}`);
}

function nativeConfig(config: LmConfig, vocabulary: number, positions: number): Parameters<ReturnType<typeof loadNative>['LmTrainer']['create']>[0] {
  const { layers, width, heads, steps, lr, seed, identityWeight, identityLayer } = config;
  return {
    model: { layers, width, heads, vocabulary, positions },
    train: {
      lr,
      beta1: 0.9,
      beta2: 0.98,
      eps: 1e-6,
      weightDecay: 0.01,
      clip: 1,
      warmupSteps: Math.ceil(steps / 20),
      steps,
      seed,
      microBatches: MICRO_BATCHES,
      identityWeight,
      identityLayer,
    },
  };
}

async function validate(native: NativeLmTrainer, data: Shards, held: number): Promise<LmResult> {
  let nll = 0;
  let predicted = 0;
  let correct = 0;
  let tokens = 0;
  for (let first = data.rows - held; first < data.rows; first += 64) {
    const { ids, lengths } = await data.read(Uint32Array.from({ length: Math.min(64, data.rows - first) }, (_, i) => first + i));
    const sums = await callNative(() => native.evaluate(ids, lengths));
    nll += sums.sumNll;
    predicted += sums.predictedTokens;
    correct += sums.identityCorrect;
    tokens += sums.tokens;
  }
  return { validationPerplexity: Math.exp(nll / predicted), identityAccuracy: correct / tokens };
}

async function write(
  native: NativeLmTrainer,
  config: LmConfig,
  { vocabulary, length, tokenizer, out }: { vocabulary: number; length: number; tokenizer: Tokenizer; out: string },
): Promise<void> {
  await mkdir(out, { recursive: true });
  // config.json is what makes the folder a model: it goes last.
  await rm(join(out, 'config.json'), { force: true });
  await callNative(() => native.save(out));
  await tokenizer.save(out);
  const huggingFace = {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    activation_function: 'gelu_new',
    n_layer: config.layers,
    n_embd: config.width,
    n_head: config.heads,
    n_positions: length,
    vocab_size: vocabulary,
    layer_norm_epsilon: 1e-5,
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
    tie_word_embeddings: true,
    bos_token_id: tokenizer.endId,
    eos_token_id: tokenizer.endId,
  };
  await writeFileAtomic(join(out, 'config.json'), JSON.stringify(huggingFace, null, 2) + '\n');
}
