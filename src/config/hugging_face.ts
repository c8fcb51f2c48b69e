// A Hugging Face config.json of the GPT-2 or BERT family, read as an EncoderShape. It fails closed: a field that changes the hidden states
// must have the value that the native networks (native/model/gpt2.cpp, bert.cpp) implement, since wrong hidden states look like right ones.
// Fields that change nothing at inference (dropout, heads for a task, caching) are ignored.

import { z } from 'zod';
import type { EncoderShape } from './encoders.js';

const size = z.int().min(1);
const activation = z.enum(['gelu', 'gelu_new', 'relu']);

/** A field that is not implemented: it must keep the value that means "off". */
const off = z.literal(false).nullish();
/** A field whose presence means that the weights or the code are not those of the plain model. */
const absent = z.unknown().refine((value) => value === null || isEmpty(value), 'must be absent').optional();

const common = {
  /** Code of its own decides what such a model computes. */
  auto_map: absent,
  quantization_config: absent,
  pruned_heads: absent,
  add_cross_attention: off,
};

const gpt2 = z.object({
  ...common,
  model_type: z.literal('gpt2'),
  n_layer: size,
  n_embd: size,
  n_head: size,
  vocab_size: size,
  n_positions: size,
  n_inner: size.nullish(),
  layer_norm_epsilon: z.number().gt(0).default(1e-5),
  activation_function: activation.default('gelu_new'),
  scale_attn_weights: z.literal(true).nullish(),
  scale_attn_by_inverse_layer_idx: off,
  // reorder_and_upcast_attn changes the order of rounding only.
});

const bert = z.object({
  ...common,
  model_type: z.literal('bert'),
  num_hidden_layers: size,
  hidden_size: size,
  num_attention_heads: size,
  vocab_size: size,
  max_position_embeddings: size,
  intermediate_size: size,
  type_vocab_size: size.default(2),
  layer_norm_eps: z.number().gt(0).default(1e-12),
  hidden_act: activation.default('gelu'),
  position_embedding_type: z.literal('absolute').nullish(),
  /** Causal attention. */
  is_decoder: off,
});

/** What a config.json must be, and the shape that it stands for. */
export const huggingFaceConfig = z.discriminatedUnion('model_type', [
  gpt2.transform((c): EncoderShape => ({
    family: 'gpt2',
    layers: c.n_layer,
    hiddenWidth: c.n_embd,
    heads: c.n_head,
    vocabulary: c.vocab_size,
    positions: c.n_positions,
    feedForwardWidth: c.n_inner ?? 4 * c.n_embd,
    tokenTypes: 0,
    normEpsilon: c.layer_norm_epsilon,
    activation: c.activation_function,
  })),
  bert.transform((c): EncoderShape => ({
    family: 'bert',
    layers: c.num_hidden_layers,
    hiddenWidth: c.hidden_size,
    heads: c.num_attention_heads,
    vocabulary: c.vocab_size,
    positions: c.max_position_embeddings,
    feedForwardWidth: c.intermediate_size,
    tokenTypes: c.type_vocab_size,
    normEpsilon: c.layer_norm_eps,
    activation: c.hidden_act,
  })),
], { error: (issue) => issue.code === 'invalid_union' ? 'must be gpt2 or bert' : undefined });

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
