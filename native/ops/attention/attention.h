// y = softmax(q k^T / sqrt(d)) v in every head                              (Vaswani et al. 2017)
//   qkv      [B, N, 3 C]  queries, keys and values of a sequence side by side, as one product gives them; C = heads d
//   context  [B, M, 2 C]  keys and values of a second sequence, looked at behind the first one's; or undefined: M = 0
//   y        [B, N, C]
// On the way, where the options say so, q and k of every head take an RMS norm with a gain and a rotary turn by their position.
// Differentiable in qkv, context and the gains. Saves its inputs, y and the log of each softmax's sum [B, heads, N]. CPU kernel: fp32,
// contiguous inputs; what a head computes depends on its own sample only. GPU: attention_cuda.h. Everything else takes the reference, libtorch's
// scaled_dot_product_attention. See docs/log.md for the gain.
#pragma once

#include "torch.h"

namespace ldlm {

struct AttentionOptions {
  int64_t heads;
  Tensor query_gain, key_gain;  // [d], both or none
  Tensor cos, sin;              // [at least N, d / 2], both or none, and then no context: see rotary
  bool causal = false;          // query i sees the keys up to i; then no context
};

Tensor attention(const Tensor& qkv_BN3C, const Tensor& context_BM2C, const AttentionOptions& options);
Tensor attention_reference(const Tensor& qkv_BN3C, const Tensor& context_BM2C, const AttentionOptions& options);

}  // namespace ldlm
