// Launchers of the kernels around the attention products. Limit: memory bandwidth, each head read and written once.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "ops/number_type.h"

namespace ldlm {

struct AttentionHeads {
  int64_t samples, queries, others, heads, width;  // B, N, M, heads, d: 16, 32, 64 or 128
  const void *qkv, *context;                       // bf16 [B, N, 3 C] and [B, M, 2 C], or null
  NumberType gains;
  const void *query_gain, *key_gain;               // [d], or null
  const float *cos, *sin;                          // [at least N, d / 2], or null
};

// q [B, N, heads, d] and k, v [B, N + M, heads, d], bf16, q and k normed and turned; v null: it is not copied.
cudaError_t launch_split_heads(const AttentionHeads& in, void* q, void* k, void* v, cudaStream_t stream);

// How many parts the gradients of the gains are summed in.
int64_t merge_heads_parts(const AttentionHeads& in);

// dq, dk, dv laid out as above -> dqkv [B, N, 3 C] and dcontext [B, M, 2 C], bf16; dgains [parts, 2, d] fp32, of queries and keys, or null.
cudaError_t launch_merge_heads(const AttentionHeads& in, const void* dq, const void* dk, const void* dv, void* dqkv, void* dcontext, float* dgains,
                               cudaStream_t stream);

}  // namespace ldlm
