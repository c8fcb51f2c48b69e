// How the config.json of each pretrained family beside GPT-2 and BERT reads as a shape. A key that changes what the network computes
// is implemented or refused by name; all other keys are ignored.

import { z } from 'zod';
import type { EncoderShape, RotaryScaling } from './encoders.js';

export const size = z.int().min(1);
const positive = z.number().gt(0);
const epsilon = positive;
const anyActivation = z.enum(['gelu', 'gelu_new', 'relu', 'silu']);

/** What a family has that knows nothing but heads of equal width and a table of positions. */
export function plain(hiddenWidth: number, heads: number): Pick<EncoderShape, PlainKey> {
  return {
    tokenTypes: 0,
    paddingId: 0,
    keyValueHeads: heads,
    headWidth: Math.floor(hiddenWidth / heads), // the native side refuses heads that do not divide the width
    relativeBuckets: 0,
    relativeDistance: 0,
    rotaryBase: 0,
    rotaryScaling: null,
    gatedFeedForward: false,
    queryKeyValueBias: false,
    queryKeyNorm: false,
  };
}

type PlainKey =
  | 'tokenTypes' | 'paddingId' | 'keyValueHeads' | 'headWidth' | 'relativeBuckets' | 'relativeDistance' | 'rotaryBase'
  | 'rotaryScaling' | 'gatedFeedForward' | 'queryKeyValueBias' | 'queryKeyNorm';

/** A key of which one value is implemented; a file without the key, or with null, means that value. */
export const only = (value: boolean | number | string) => z.literal(value).nullish();

/** A key whose presence means that the weights or the code are not those of the plain model. */
const absent = z.unknown().refine((value) => value === null || isEmpty(value), 'must be absent').optional();

/** What no family here has. */
export const common = {
  /** Code of its own decides what such a model computes. */
  auto_map: absent,
  quantization_config: absent,
  pruned_heads: absent,
  add_cross_attention: only(false),
};

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

const bertSizes = {
  num_hidden_layers: size,
  hidden_size: size,
  num_attention_heads: size,
  vocab_size: size,
  max_position_embeddings: size,
  intermediate_size: size,
};

function sizesOf(c: z.infer<z.ZodObject<typeof bertSizes>>) {
  return {
    layers: c.num_hidden_layers,
    hiddenWidth: c.hidden_size,
    heads: c.num_attention_heads,
    vocabulary: c.vocab_size,
    positions: c.max_position_embeddings,
    feedForwardWidth: c.intermediate_size,
  };
}

const encoderOnly = { is_decoder: only(false), position_embedding_type: only('absolute') };

const roberta = z
  .object({ ...common, model_type: z.enum(['roberta', 'xlm-roberta']), ...bertSizes, ...encoderOnly, type_vocab_size: size.default(2), layer_norm_eps: epsilon.default(1e-12),
    hidden_act: anyActivation.default('gelu'), pad_token_id: z.int().min(0).default(1) })
  .refine((c) => c.max_position_embeddings > c.pad_token_id + 1, { path: ['max_position_embeddings'], error: 'must be more than pad_token_id + 1, where positions begin' })
  .transform((c): EncoderShape => ({
    ...plain(c.hidden_size, c.num_attention_heads),
    ...sizesOf(c),
    family: 'roberta',
    positions: c.max_position_embeddings - c.pad_token_id - 1,
    paddingId: c.pad_token_id,
    tokenTypes: c.type_vocab_size,
    normEpsilon: c.layer_norm_eps,
    activation: c.hidden_act,
  }));

const distilbert = z
  .object({ ...common, model_type: z.literal('distilbert'), n_layers: size, dim: size, n_heads: size, vocab_size: size, max_position_embeddings: size,
    hidden_dim: size, activation: anyActivation.default('gelu') })
  .transform((c): EncoderShape => ({
    ...plain(c.dim, c.n_heads),
    family: 'distilbert',
    layers: c.n_layers,
    hiddenWidth: c.dim,
    heads: c.n_heads,
    vocabulary: c.vocab_size,
    positions: c.max_position_embeddings,
    feedForwardWidth: c.hidden_dim,
    normEpsilon: 1e-12,
    activation: c.activation,
  }));

/** The padding token of every MPNet, whatever pad_token_id says: Hugging Face's code has it fixed, and the distances below too. */
const MPNET_PADDING = 1;

const mpnet = z
  .object({ ...common, model_type: z.literal('mpnet'), ...bertSizes, max_position_embeddings: z.int().min(MPNET_PADDING + 2),
    relative_attention_num_buckets: only(32), layer_norm_eps: epsilon.default(1e-12), hidden_act: anyActivation.default('gelu') })
  .transform((c): EncoderShape => ({
    ...plain(c.hidden_size, c.num_attention_heads),
    ...sizesOf(c),
    family: 'mpnet',
    positions: c.max_position_embeddings - MPNET_PADDING - 1,
    paddingId: MPNET_PADDING,
    relativeBuckets: 32,
    relativeDistance: 128,
    normEpsilon: c.layer_norm_eps,
    activation: c.hidden_act,
  }));

/** T5 knows distances, not positions, so nothing but model.maxLength limits it. */
const UNLIMITED_POSITIONS = 65535;

const t5FeedForward = {
  relu: { activation: 'relu', gatedFeedForward: false },
  gelu: { activation: 'gelu', gatedFeedForward: false },
  'gated-gelu': { activation: 'gelu_new', gatedFeedForward: true },
  'gated-silu': { activation: 'silu', gatedFeedForward: true },
} as const;

const t5 = z
  .object({ ...common, model_type: z.literal('t5'), num_layers: size, d_model: size, num_heads: size, d_kv: size, d_ff: size, vocab_size: size,
    relative_attention_num_buckets: z.int().min(4).default(32), relative_attention_max_distance: size.default(128),
    layer_norm_epsilon: epsilon.default(1e-6), feed_forward_proj: z.enum(['relu', 'gelu', 'gated-gelu', 'gated-silu']).default('relu'), is_decoder: only(false) })
  .transform((c): EncoderShape => ({
    ...plain(c.d_model, c.num_heads),
    ...t5FeedForward[c.feed_forward_proj],
    family: 't5',
    layers: c.num_layers,
    hiddenWidth: c.d_model,
    heads: c.num_heads,
    headWidth: c.d_kv,
    vocabulary: c.vocab_size,
    positions: UNLIMITED_POSITIONS,
    feedForwardWidth: c.d_ff,
    relativeBuckets: c.relative_attention_num_buckets,
    relativeDistance: c.relative_attention_max_distance,
    normEpsilon: c.layer_norm_epsilon,
  }));

/** What every type of rotary embedding may hold. Another key is of a type that is not computed here, and refused. */
const ropeOf = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.object({ rope_theta: positive.optional(), partial_rotary_factor: only(1), ...shape }).catchall(absent);

const ropeTypes = z.discriminatedUnion(
  'rope_type',
  [
    ropeOf({ rope_type: z.literal('default') }),
    ropeOf({ rope_type: z.literal('linear'), factor: positive }),
    ropeOf({ rope_type: z.literal('llama3'), factor: positive, low_freq_factor: positive, high_freq_factor: positive, original_max_position_embeddings: size })
      .refine((c) => c.high_freq_factor > c.low_freq_factor, { path: ['high_freq_factor'], error: 'must be more than low_freq_factor' }),
  ],
  { error: (issue) => (issue.code === 'invalid_union' ? "must be 'default' or 'linear' or 'llama3'" : undefined) },
);

function scalingOf(rope: z.infer<typeof ropeTypes>): RotaryScaling | null {
  switch (rope.rope_type) {
    case 'default':
      return null;
    case 'linear':
      return { factor: rope.factor, lowFrequencyFactor: 0, highFrequencyFactor: 1, originalPositions: 0 };
    case 'llama3':
      return {
        factor: rope.factor,
        lowFrequencyFactor: rope.low_freq_factor,
        highFrequencyFactor: rope.high_freq_factor,
        originalPositions: rope.original_max_position_embeddings,
      };
  }
}

/** `rope_scaling` of older files and `rope_parameters` of newer ones, which has the base too. Older files say `type` for `rope_type`. */
const rope = z.preprocess((value) => {
  if (typeof value !== 'object' || value === null) return value;
  if (isEmpty(value)) return null;
  const { type, rope_type = type, ...rest } = value as Record<string, unknown>;
  return { ...rest, rope_type: rope_type ?? 'default' };
}, ropeTypes.nullish());

/** Mistral attends to the last `sliding_window` tokens: within as many it is a Llama. Without the key it means 4096, with null no window. */
const MISTRAL_WINDOW = 4096;

const llamaLike = (modelType: 'llama' | 'mistral' | 'qwen2' | 'qwen3', biases: { queryKeyValueBias: boolean; queryKeyNorm: boolean }) =>
  z
    .object({ ...common, model_type: z.literal(modelType), ...bertSizes, num_key_value_heads: size.nullish(), head_dim: size.nullish(),
      rms_norm_eps: epsilon.default(1e-6), hidden_act: anyActivation.default('silu'), rope_theta: positive.optional(), rope_scaling: rope,
      rope_parameters: rope, partial_rotary_factor: only(1),
      original_max_position_embeddings: absent, // beside rope_parameters it would count for more than the one inside
      attention_bias: only(false), mlp_bias: only(false), use_sliding_window: only(false), sliding_window: size.nullable().default(MISTRAL_WINDOW),
      layer_types: z.array(only('full_attention')).nullish() })
    .transform((c) => ({ ...c, rope: c.rope_scaling ?? c.rope_parameters })) // transformers reads the old key first
    .transform((c): EncoderShape => ({
      ...plain(c.hidden_size, c.num_attention_heads),
      ...sizesOf(c),
      ...biases,
      family: 'llama',
      positions: Math.min(c.max_position_embeddings, (modelType === 'mistral' && c.sliding_window) || Infinity),
      keyValueHeads: c.num_key_value_heads ?? c.num_attention_heads,
      headWidth: c.head_dim ?? Math.floor(c.hidden_size / c.num_attention_heads),
      rotaryBase: c.rope?.rope_theta ?? c.rope_theta ?? 10_000,
      rotaryScaling: c.rope ? scalingOf(c.rope) : null,
      normEpsilon: c.rms_norm_eps,
      activation: c.hidden_act,
    }));

export const otherFamilies = [
  roberta,
  distilbert,
  mpnet,
  t5,
  llamaLike('llama', { queryKeyValueBias: false, queryKeyNorm: false }),
  llamaLike('mistral', { queryKeyValueBias: false, queryKeyNorm: false }),
  llamaLike('qwen2', { queryKeyValueBias: true, queryKeyNorm: false }),
  llamaLike('qwen3', { queryKeyValueBias: false, queryKeyNorm: true }),
] as const;
