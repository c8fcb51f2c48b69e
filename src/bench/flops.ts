// Floating point operations of the networks, from their sizes alone: matrix products and attention, a multiplication and an addition
// being two. Norms, activations, softmax, losses and the optimiser are left out: next to the products their arithmetic is nothing, and
// their time is memory traffic. Masked and causal attention counts in full, as libraries compute it. Checked against counts by hand and
// against PyTorch's counter (test/unit/60.flops.test.ts, test/golden/make_flops_fixture.py).
//
// Letters: B batch, L tokens, N latents, D latent width, H width of the frozen LM, C width of the DiT, V vocabulary, F feed-forward width.

import type { NativeModelConfig } from '../api/native_types.js';
import type { EncoderShape } from '../config/encoders.js';

/** Operations of one module: those of a forward pass, and those that its gradients take on top. */
export interface Work {
  forward: number;
  backward: number;
}

const TIME_FEATURES = 256;

/** [rows, in] times [in, out]. Backward: the gradient of the weight, and that of the input unless it needs none. */
function linear(rows: number, from: number, to: number, inputHasGradient = true): Work {
  const forward = 2 * rows * from * to;
  return { forward, backward: inputHasGradient ? 2 * forward : forward };
}

/** Queries against keys, then weights against values: 2 products of [queries, width] and [keys, width], all heads together. */
function attention(batch: number, queries: number, keys: number, width: number): Work {
  const forward = 2 * (2 * batch * queries * keys * width);
  return { forward, backward: 2 * forward };
}

function sum(parts: readonly Work[], times = 1): Work {
  const total = (pass: keyof Work): number => times * parts.reduce((all, part) => all + part[pass], 0);
  return { forward: total('forward'), backward: total('backward') };
}

/** GPT-2 up to hidden state `layer`, never differentiated: a layer has q, k, v, the output and two matrices of the feed-forward. */
export function frozenLmWork({ hiddenWidth: H, feedForwardWidth: F }: Pick<EncoderShape, 'hiddenWidth' | 'feedForwardWidth'>, layer: number, B: number, L: number): Work {
  const block = [linear(B * L, H, 3 * H), attention(B, L, L, H), linear(B * L, H, H), linear(B * L, H, F), linear(B * L, F, H)];
  return { forward: sum(block, layer).forward, backward: 0 };
}

/** A stream [B, n, D] that attends to itself and to a context [B, m, E]. */
function perceiverBlock(B: number, n: number, m: number, D: number, E: number): Work {
  return sum([
    linear(B * n, D, 3 * D), // q, k, v of the stream
    linear(B * m, E, 2 * D), // k, v of the context
    attention(B, n, n + m, D),
    linear(B * n, D, D),
    linear(B * n, D, 4 * D),
    linear(B * n, 4 * D, D),
  ]);
}

/** h [B, L, H] -> z0 [B, N, D]. With N = L, h enters the queries by a matrix; h itself has no gradient. */
export function latentEncoderWork({ maxLength: L, latents: N, latentWidth: D, hiddenWidth: H, latentEncoder }: NativeModelConfig, B: number): Work {
  const queryInput = N === L ? [linear(B * L, H, D, false)] : [];
  return sum([...queryInput, sum([perceiverBlock(B, N, L, D, H)], latentEncoder.layers)]);
}

/** z [B, N, D] -> h_hat [B, L, H] */
export function latentDecoderWork({ maxLength: L, latents: N, latentWidth: D, hiddenWidth: H, latentDecoder }: NativeModelConfig, B: number): Work {
  return sum([sum([perceiverBlock(B, L, N, D, D)], latentDecoder.layers), linear(B * L, D, H)]);
}

/** h_hat [B, L, H] -> [B, L, H]. SwiGLU: two matrices up, one down, of width 4H. */
export function tokenDecoderWork({ maxLength: L, hiddenWidth: H, tokenDecoder }: NativeModelConfig, B: number): Work {
  const block = [linear(B * L, H, 3 * H), attention(B, L, L, H), linear(B * L, H, H), linear(B * L, H, 8 * H), linear(B * L, 4 * H, H)];
  return sum(block, tokenDecoder.layers);
}

/** Logits [B, L, V] of what the token decoder gives. */
export function tokenHeadWork({ maxLength: L, hiddenWidth: H, vocabulary: V }: NativeModelConfig, B: number): Work {
  return linear(B * L, H, V);
}

/** What the DiT makes of u [B] alone: the time network and the modulations. The time features have no gradient. */
export function ditConditionWork({ latentWidth: D, dit: { width: C, layers } }: NativeModelConfig, B: number): Work {
  return sum([
    linear(B, TIME_FEATURES, C, false),
    linear(B, C, C),
    sum([linear(B, C, 6 * C)], layers), // shift, scale, gate of attention and of feed-forward
    linear(B, C, 2 * C), // shift, scale of the output
    linear(B, C, 2 * D), // gates of x_u and of the self-condition
  ]);
}

/** (x_u, self-condition) [B, N, 2D] -> z0_hat [B, N, D] */
export function ditTrunkWork({ latents: N, latentWidth: D, dit: { width: C, layers } }: NativeModelConfig, B: number): Work {
  const block = [linear(B * N, C, 3 * C), attention(B, N, N, C), linear(B * N, C, C), linear(B * N, C, 4 * C), linear(B * N, 4 * C, C)];
  return sum([linear(B * N, 2 * D, C), sum(block, layers), linear(B * N, C, D)]);
}

/** Operations by module; `total` is their sum. */
export type ModuleFlops = Readonly<Record<string, number>> & { readonly total: number };

function withTotal(modules: Record<string, number>): ModuleFlops {
  return { ...modules, total: Object.values(modules).reduce((a, b) => a + b, 0) };
}

export interface TrainingSizes {
  model: NativeModelConfig;
  encoder: EncoderShape;
  /** Index of the hidden state, 0..layers. */
  encoderLayer: number;
  batch: number;
  /** Probability of the extra forward pass of the DiT; its mean is counted. */
  selfConditioning: number;
}

/** One optimiser step of joint training, by the names of the profile. */
export function trainingFlops({ model, encoder, encoderLayer, batch, selfConditioning }: TrainingSizes): ModuleFlops {
  const both = ({ forward, backward }: Work): number => forward + backward;
  const [trunk, condition] = [ditTrunkWork(model, batch), ditConditionWork(model, batch)];
  return withTotal({
    frozen_lm: frozenLmWork(encoder, encoderLayer, batch, model.maxLength).forward,
    latent_encoder: both(latentEncoderWork(model, batch)),
    latent_decoder: both(latentDecoderWork(model, batch)),
    token_decoder: both(tokenDecoderWork(model, batch)),
    token_head: both(tokenHeadWork(model, batch)),
    self_condition: selfConditioning * (trunk.forward + condition.forward),
    dit: both(trunk),
    modulation: both(condition),
  });
}

/** `count` samples of `steps` evaluations, from noise to token ids. The modulations of a step serve all samples. */
export function samplingFlops(model: NativeModelConfig, count: number, steps: number): ModuleFlops {
  return withTotal({
    dit: steps * ditTrunkWork(model, count).forward,
    modulation: steps * ditConditionWork(model, 1).forward,
    latent_decoder: latentDecoderWork(model, count).forward,
    token_decoder: tokenDecoderWork(model, count).forward,
    token_head: tokenHeadWork(model, count).forward,
  });
}
