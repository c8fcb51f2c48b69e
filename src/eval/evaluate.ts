// Samples a model and judges the samples by named protocols. What a protocol means stands in its own file; here it gets its input.

import { callNative } from '../api/call_native.js';
import { LdlmError, type LdlmErrorCode } from '../api/errors.js';
import type { Sample, SampleStats } from '../api/ldlm.js';
import { loadNative } from '../api/native.js';
import type { SampleOptions } from '../api/sample_options.js';
import type { Scorer } from '../api/scorer.js';
import { type Conditions, conditionsOf } from './conditions.js';
import type { EvaluatedModel } from './evaluated_model.js';
import { scoreDiversity } from './diversity.js';
import { scoreEntropy } from './entropy.js';
import { scoreGenPplCosmos } from './gen_ppl_cosmos.js';
import { scoreGenPplMdlm } from './gen_ppl_mdlm.js';
import { scoreGenPplSedd } from './gen_ppl_sedd.js';
import { GPT2_VOCABULARY, scoreGpt2Entropy } from './gpt2_entropy.js';
import { scoreGrammar } from './grammar.js';
import { scoreMauve } from './mauve.js';
import { countMemorised } from './memorisation.js';
import { checkRequest, type ProtocolName, protocolNeeds } from './protocols.js';
import { scoreReconstruction } from './reconstruction.js';
import { retokenize } from './retokenize.js';
import { notesOn, notesOnLengths } from './sample_notes.js';
import { checkSameTokenizer } from './same_tokenizer.js';
import { checkTrainingSet, type TokenRows, trainingRows } from './training_rows.js';

export interface EvaluateOptions extends Omit<SampleOptions, 'onProgress'> {
  protocols: readonly ProtocolName[];
  /** For the protocols that score or tokenize with a language model. */
  scorer?: Scorer;
  /** Held-out texts, for `mauve/v1` and `reconstruction/v1`; the entropies of the same number of them are given for comparison. */
  reference?: readonly string[];
  /** The training texts as the model's token ids, for `memorisation/v1`; default: the shards that the model was trained on. */
  training?: TokenRows;
  /** A protocol that refuses the samples (none has a token to score, a score is not finite) is stated in its result, instead of thrown. */
  stateRefusals?: boolean;
  /** Called with the samples before they are judged. */
  onSamples?: (samples: readonly Sample[]) => Promise<void>;
  /** Called with 'sampling' or the name of a protocol. */
  onProgress?: (stage: string, done: number, total: number) => void;
}

/** A protocol's own fields, what must be known beside them, and the conditions. `refused` says why there are no fields, `refusedBy` is the code of that error (`stateRefusals`). */
export type EvaluationResult = { protocol: ProtocolName; notes: string[] } & Conditions & Record<string, unknown>;

export interface Evaluation {
  results: EvaluationResult[];
  samples: Sample[];
  /** Of the sampling. */
  stats: SampleStats;
}

interface Input extends Omit<EvaluateOptions, 'protocols'> {
  model: EvaluatedModel;
  samples: readonly Sample[];
  /** The model's ids of the samples. */
  ids: readonly number[][];
  texts: readonly string[];
  notes: string[];
  progress: (done: number, total: number) => void;
}

/**
 * Samples `options.count` texts and applies every protocol to them.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT, before anything is sampled, if a protocol lacks what it needs
 * @example
 * const { results } = await evaluate(model, { count: 256, steps: 32, protocols: ['entropy/model-tokens-nats'] });
 */
export async function evaluate(model: EvaluatedModel, options: EvaluateOptions): Promise<Evaluation> {
  const { protocols, scorer, reference, onProgress, onSamples, training: _, stateRefusals, ...sampling } = options;
  checkRequest({ protocols, count: options.count ?? 1, scorer: scorer !== undefined, references: reference?.length ?? null });
  for (const protocol of protocols) await checkFit(protocol, model, options);
  const conditions = await conditionsOf(model, sampling, scorer);
  const { steps } = conditions; // as recorded: a baseline's own default is another one
  onProgress?.('sampling', 0, options.count ?? 1); // the clock of a progress begins here, not after the first batch
  const { samples, texts, stats } = await model.sample({ ...sampling, ...(steps === null ? {} : { steps }), onProgress: (done, total) => onProgress?.('sampling', done, total) });
  await onSamples?.(samples);
  const ids = samples.map((sample) => sample.ids);
  const results: EvaluationResult[] = [];
  for (const protocol of protocols) {
    const notes = notesOn(ids);
    const progress = (done: number, total: number): void => onProgress?.(protocol, done, total);
    const judged = judge(protocol, { ...options, model, samples, ids, texts, notes, progress });
    const score = await (stateRefusals ? judged.catch(refusal) : judged);
    const usesScorer = 'scorer' in protocolNeeds[protocol];
    results.push({ ...score, protocol, notes, ...conditions, scorer: usesScorer ? conditions.scorer : null });
  }
  return { results, samples, stats };
}

/** Refuses what no samples of `model` could be judged by. */
async function checkFit(protocol: ProtocolName, model: EvaluatedModel, { scorer, training }: EvaluateOptions): Promise<void> {
  if (protocol === 'genppl/sedd-v1') checkSameTokenizer(model, scorer!);
  if (protocol === 'memorisation/v1' && !training) await checkTrainingSet(model);
  if (protocol !== 'reconstruction/v1') return;
  if (!model.reconstruct) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'reconstruction/v1 must have a model with latents, got one without');
  if (model.checkpoint.samplingOnly) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'reconstruction/v1 must have the latent encoder, got an export for sampling. Use the run folder');
  await model.reconstruct([]); // loads the encoder, which may be away or another by now
}

async function judge(protocol: ProtocolName, input: Input): Promise<object> {
  const score = await judges[protocol](input);
  refuseNonFinite(score);
  return score;
}

/** What concerns one protocol: its texts, its figures, or a scorer too large for the memory that is left. */
const REFUSALS: readonly LdlmErrorCode[] = ['ERR_LDLM_INVALID_ARGUMENT', 'ERR_LDLM_TORCH', 'ERR_LDLM_OUT_OF_MEMORY'];

function refusal(error: unknown): { refused: string; refusedBy: LdlmErrorCode } {
  if (error instanceof LdlmError && REFUSALS.includes(error.code)) return { refused: error.message, refusedBy: error.code };
  throw error;
}

const judges: Record<ProtocolName, (input: Input) => Promise<object>> = {
  'genppl/mdlm-v1': async ({ model, ids, scorer, ...input }) => {
    const { tokenizer, config: { model: { maxLength: length } } } = model;
    const encode = (texts: readonly string[]): Promise<number[][]> => scorer!.encode(texts);
    const rows = await retokenize(ids, { tokenizer, encode, endId: scorer!.endId, length });
    return scoreGenPplMdlm(rows, { length, positions: scorer!.shape.positions, endId: scorer!.endId, logLikelihoods: likelihoods(scorer!, input) });
  },
  'genppl/sedd-v1': async ({ ids, scorer, ...input }) => scoreGenPplSedd(ids, likelihoods(scorer!, input)),
  'genppl/cosmos-v1': async ({ texts, scorer, ...input }) =>
    scoreGenPplCosmos(await scorer!.encode(texts), { beginId: scorer!.endId, positions: scorer!.shape.positions, logLikelihoods: likelihoods(scorer!, input) }),
  'entropy/model-tokens-nats': async ({ model, ids, reference, notes }) => {
    const data = reference?.length ? (await model.tokenizer.encodeBatch(reference.slice(0, ids.length))).map((row) => row.slice(0, model.config.model.maxLength)) : null;
    if (data) notes.push(...notesOnLengths(ids, data));
    return { ...scoreEntropy(ids), ...(data ? { reference: scoreEntropy(data).entropy } : {}) };
  },
  'entropy/gpt2-tokens-nats': async ({ texts, scorer, notes }) => {
    const { vocabularySize } = scorer!.tokenizer;
    if (vocabularySize !== GPT2_VOCABULARY) notes.push(`the scorer's tokenizer is not GPT-2's: it has ${vocabularySize} ids, not ${GPT2_VOCABULARY}. Compare only to figures with this tokenizer`);
    return scoreGpt2Entropy(await scorer!.encode(texts), vocabularySize);
  },
  'mauve/v1': async ({ texts, reference, scorer, notes, progress, signal }) => {
    const maxTokens = Math.min(1024, scorer!.shape.positions);
    const ids = await scorer!.encode([...texts, ...reference!.slice(0, texts.length)]);
    notes.push(...notesOnLengths(ids.slice(0, texts.length), ids.slice(texts.length)));
    // A text without a token has no last one: the scorer's beginning-of-text token stands for it.
    const rows = ids.map((row) => (row.length === 0 ? [scorer!.endId] : row.slice(0, maxTokens)));
    const features = (await scorer!.score(rows, { ...(signal ? { signal } : {}), onProgress: progress })).map((row) => row.lastHidden);
    const cluster = (options: Parameters<ReturnType<typeof loadNative>['clusterFeatures']>[0]): Promise<Int32Array> => callNative(() => loadNative().clusterFeatures(options));
    return scoreMauve(features.slice(0, texts.length), features.slice(texts.length), { maxTokens, cluster });
  },
  'diversity/v1': async ({ ids }) => scoreDiversity(ids),
  'memorisation/v1': async ({ model, ids, training, progress, signal }) => {
    const counter = countMemorised(ids);
    for await (const row of training ?? trainingRows(model, progress)) {
      if (signal?.aborted) throw new LdlmError('ERR_LDLM_ABORTED', 'the comparison with the training set was aborted');
      counter.add(row);
    }
    return counter.score();
  },
  'reconstruction/v1': async ({ model, samples, reference, seed, progress, signal }) => {
    const [texts, noise] = [reference!.slice(0, samples.length), model.config.recipe?.decoderNoise ?? 0];
    const accuracies: { clean: number; noisy: number }[] = [];
    for (const text of texts) {
      if (signal?.aborted) throw new LdlmError('ERR_LDLM_ABORTED', 'the reconstruction was aborted');
      const [clean] = await model.reconstruct!([text]);
      const [noisy] = await model.reconstruct!([text], { noise, seed: (seed ?? 0) + accuracies.length });
      accuracies.push({ clean: clean!.accuracy, noisy: noisy!.accuracy });
      progress(accuracies.length, texts.length);
    }
    return scoreReconstruction(accuracies.map(({ clean }) => clean), accuracies.map(({ noisy }) => noisy), noise);
  },
  'grammar/v1': async ({ texts }) => scoreGrammar(texts),
};

function likelihoods(scorer: Scorer, { progress, signal }: Pick<Input, 'progress' | 'signal'>) {
  return async (rows: readonly (readonly number[])[]): Promise<Float32Array[]> =>
    (await scorer.score(rows, { ...(signal ? { signal } : {}), onProgress: progress })).map((row) => row.logLikelihoods);
}

/** JSON would turn NaN and infinity into null without a word. */
function refuseNonFinite(score: object): void {
  for (const [name, value] of Object.entries(score)) {
    if (typeof value !== 'number' || Number.isFinite(value)) continue;
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${name} of the evaluation must be a finite number, got ${value}. Is the scorer meant for such text?`);
  }
}
