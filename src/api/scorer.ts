// A causal language model as a judge of text: token log-likelihoods and last hidden states, from a Hugging Face layout folder or the hub,
// of the GPT-2 family (what `ldlm pretrain` writes, or gpt2-large). What the numbers mean is the protocols' (src/eval).

import { type EncoderShape, readEncoderShape } from '../config/encoders.js';
import { Tokenizer } from '../data/tokenizer.js';
import { resolveModel, type ResolveOptions } from '../hub/model_source.js';
import { hashWeights } from '../hub/weight_files.js';
import { callNative, resolveDevice } from './call_native.js';
import { LdlmError } from './errors.js';
import { loadNative } from './native.js';
import type { NativeScorer } from './native_types.js';

/** Padded tokens of a native call: enough to keep the matrix products busy, little enough for the memory of any machine. */
const TOKENS_AT_ONCE = 4096;

export interface ScoredRow {
  /** log p(token i | tokens 0..i - 1) in nats; 0 for the first token, which nothing precedes. */
  logLikelihoods: Float32Array;
  /** Hidden state of the last token, after the final norm [H]. */
  lastHidden: Float32Array;
}

export interface ScoreOptions {
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/**
 * A scorer. Owns native memory: `dispose()` it, or use `await using`.
 * @example
 * await using scorer = await Scorer.load('openai-community/gpt2-large');
 * const [row] = await scorer.score(await scorer.encode(['Anna had a ball.']));
 */
export class Scorer implements AsyncDisposable {
  private hash: Promise<string> | undefined;

  private constructor(
    readonly folder: string,
    /** What finds the same files again: the folder as it was given, or ID@COMMIT of the hub. */
    readonly source: string,
    readonly shape: EncoderShape,
    readonly tokenizer: Tokenizer,
    /** The end-of-text token, which for this family is the beginning of a text too. */
    readonly endId: number,
    /** The token for what the vocabulary does not have, if there is one, and its text. */
    private readonly unknown: { id: number; token: string } | null,
    private readonly native: NativeScorer,
  ) {}

  /**
   * Loads `source`, a folder (config.json, weights and tokenizer) or an id of the hub, ID or ID@REVISION.
   * @throws LdlmError if it cannot be had, is no causal LM with a tied head, or its tokenizer does not fit it
   */
  static async load(source: string, options: { device?: 'auto' | 'cpu' | 'cuda' } & ResolveOptions = {}): Promise<Scorer> {
    const { folder, source: found } = await resolveModel(source, ['weights', 'tokenizer'], options);
    const shape = await readEncoderShape(folder);
    if (shape.family !== 'gpt2') {
      throw new LdlmError('ERR_LDLM_CONFIG', `a scorer must be a causal LM of the GPT-2 family, got ${shape.family} in ${folder}`);
    }
    const tokenizer = await Tokenizer.load(folder);
    if (tokenizer.vocabularySize > shape.vocabulary) {
      throw new LdlmError('ERR_LDLM_CONFIG', `the scorer's tokenizer must have at most the model's ${shape.vocabulary} token ids, got ${tokenizer.vocabularySize} in ${folder}`);
    }
    if (tokenizer.endId === null) throw new LdlmError('ERR_LDLM_CONFIG', `the scorer's tokenizer must have an end-of-text token, got none in ${folder}`);
    const { unknownId: id } = tokenizer;
    const unknown = id === null ? null : { id, token: await tokenizer.decode([id], { keepSpecialTokens: true }) };
    const device = resolveDevice(options.device ?? 'auto');
    const native = await callNative(() => loadNative().Scorer.load({ folder, config: shape, device }));
    return new Scorer(folder, found, shape, tokenizer, tokenizer.endId, unknown, native);
  }

  /** SHA-256 over the files of weights, in hex; read once. */
  sha256(): Promise<string> {
    return (this.hash ??= hashWeights(this.folder));
  }

  /**
   * Token ids of texts, by the scorer's own tokenizer.
   * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT for a text that it cannot represent: an unknown token is always likely, so scores of it
   *   would be too good
   */
  async encode(texts: readonly string[]): Promise<number[][]> {
    const { unknown } = this;
    // Where a text names the unknown token itself, as samples of a model with such a token do, that one token is meant.
    const pieces = texts.map((text) => (unknown === null ? [text] : text.split(unknown.token)));
    const encoded = await this.tokenizer.encodeBatch(pieces.flat()).catch((cause: unknown) => {
      throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `the scorer's tokenizer must represent the texts, got: ${cause instanceof Error ? cause.message : String(cause)}. ${REMEDY}`, { cause });
    });
    let next = 0;
    return pieces.map((list, row) => list.flatMap((_, i) => {
      // What touches the name, such as a lone space, has no token of its own either: it belongs to that one.
      let ids = encoded[next++]!;
      while (i > 0 && ids[0] === unknown?.id) ids = ids.slice(1);
      while (i < list.length - 1 && ids.at(-1) === unknown?.id) ids = ids.slice(0, -1);
      const lost = ids.filter((id) => id === unknown?.id).length;
      if (lost === 0) return i === 0 ? ids : [unknown!.id, ...ids];
      throw new LdlmError(
        'ERR_LDLM_INVALID_ARGUMENT',
        `the scorer's tokenizer must represent the texts, got ${lost} of ${ids.length} tokens unknown to it in '${texts[row]!.slice(0, 60)}'. ${REMEDY}`,
      );
    }));
  }

  /** Scores rows of 1 to `shape.positions` token ids, those of like length together. Results are in the order of the rows. */
  async score(rows: readonly (readonly number[])[], options: ScoreOptions = {}): Promise<ScoredRow[]> {
    const wrong = rows.find((row) => row.length < 1 || row.length > this.shape.positions);
    if (wrong) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `rows to score must hold 1 to ${this.shape.positions} tokens (the scorer's positions), got ${wrong.length}`);
    const scored = new Array<ScoredRow>(rows.length);
    let done = 0;
    for (const batch of batchesOf(rows)) {
      if (options.signal?.aborted) throw new LdlmError('ERR_LDLM_ABORTED', 'scoring was aborted');
      const L = rows[batch[0]!]!.length;
      const ids = new Int32Array(batch.length * L);
      batch.forEach((row, i) => ids.set(rows[row]!, i * L));
      const lengths = Int32Array.from(batch, (row) => rows[row]!.length);
      const { logLikelihoods, lastHidden } = await callNative(() => this.native.score(ids, lengths));
      const H = this.shape.hiddenWidth;
      batch.forEach((row, i) => {
        scored[row] = { logLikelihoods: logLikelihoods.slice(i * L, i * L + lengths[i]!), lastHidden: lastHidden.slice(i * H, (i + 1) * H) };
      });
      options.onProgress?.((done += batch.length), rows.length);
    }
    return scored;
  }

  dispose(): Promise<void> {
    return this.native.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

const REMEDY = 'Use a scorer whose vocabulary covers them, such as one with byte-level BPE';

/** Numbers of rows, longest first, in batches of at most TOKENS_AT_ONCE padded tokens: like lengths waste little padding. */
function* batchesOf(rows: readonly (readonly number[])[]): Generator<number[]> {
  const order = rows.map((_, i) => i).sort((a, b) => rows[b]!.length - rows[a]!.length || a - b);
  for (let start = 0; start < order.length; ) {
    const count = Math.max(1, Math.floor(TOKENS_AT_ONCE / rows[order[start]!]!.length));
    yield order.slice(start, start + count);
    start += count;
  }
}
