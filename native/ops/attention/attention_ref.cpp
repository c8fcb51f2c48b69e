#include "ops/attention/attention.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/rotary/rotary.h"

namespace ldlm {

namespace {

constexpr double kNormEpsilon = 1e-6;

// [B, L, heads d] -> [B, heads, L, d], normed and turned where asked
Tensor heads_of(const Tensor& x_BLC, const AttentionOptions& options, const Tensor& gain) {
  Tensor x = x_BLC.view({x_BLC.size(0), x_BLC.size(1), options.heads, x_BLC.size(2) / options.heads});
  if (gain.defined()) x = rms_norm(x, gain, kNormEpsilon);
  if (options.cos.defined()) x = rotary(x, options.cos.narrow(0, 0, x.size(1)), options.sin.narrow(0, 0, x.size(1)));
  return x.transpose(1, 2);
}

}  // namespace

Tensor attention_reference(const Tensor& qkv_BN3C, const Tensor& context_BM2C, const AttentionOptions& options) {
  const auto own = qkv_BN3C.chunk(3, -1);
  Tensor keys = own[1], values = own[2];
  if (context_BM2C.defined()) {
    const auto others = context_BM2C.chunk(2, -1);
    keys = at::cat({keys, others[0]}, 1);
    values = at::cat({values, others[1]}, 1);
  }
  const Tensor q = heads_of(own[0], options, options.query_gain), k = heads_of(keys, options, options.key_gain);
  const Tensor v = values.view({values.size(0), values.size(1), options.heads, values.size(2) / options.heads}).transpose(1, 2);
  return at::scaled_dot_product_attention(q, k, v, {}, 0.0, options.causal).transpose(1, 2).flatten(2);  // [B, N, C]
}

}  // namespace ldlm
