// A Hugging Face config.json, read as an EncoderShape; GPT-2 and BERT here, the other families in encoder_families.ts. It fails closed: a
// field that changes the hidden states must have the value that the native networks implement, since wrong hidden states look like right
// ones. Fields that change nothing at inference (dropout, heads for a task, caching) are ignored.

import { z } from 'zod';
import { common, only, otherFamilies, plain, size } from './encoder_families.js';
import type { EncoderShape } from './encoders.js';

const activation = z.enum(['gelu', 'gelu_new', 'relu']);

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
  scale_attn_weights: only(true),
  scale_attn_by_inverse_layer_idx: only(false),
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
  position_embedding_type: only('absolute'),
  /** Causal attention. */
  is_decoder: only(false),
});

/** The `model_type`s that can be computed. */
export const families = ['gpt2', 'bert', 'roberta', 'xlm-roberta', 'distilbert', 'mpnet', 't5', 'llama', 'mistral', 'qwen2', 'qwen3'];

/** What a config.json must be, and the shape that it stands for. */
export const huggingFaceConfig = z.discriminatedUnion('model_type', [
  gpt2.transform((c): EncoderShape => ({
    ...plain(c.n_embd, c.n_head),
    family: 'gpt2',
    layers: c.n_layer,
    hiddenWidth: c.n_embd,
    heads: c.n_head,
    vocabulary: c.vocab_size,
    positions: c.n_positions,
    feedForwardWidth: c.n_inner ?? 4 * c.n_embd,
    normEpsilon: c.layer_norm_epsilon,
    activation: c.activation_function,
  })),
  bert.transform((c): EncoderShape => ({
    ...plain(c.hidden_size, c.num_attention_heads),
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
  ...otherFamilies,
], { error: (issue) => issue.code === 'invalid_union' ? `must be ${families.join(' or ')}` : undefined });
