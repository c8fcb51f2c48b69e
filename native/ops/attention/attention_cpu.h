// The kernels of attention.h on one head of one sample. No torch header. Gains, tables and context may be null, see AttentionOptions.
#pragma once

#include <cstdint>

namespace ldlm {

struct AttentionHead {
  int64_t queries, others, heads, width, head;  // N, M, heads, d, and which head this is
  bool causal;
  const float* qkv;      // of this sample, [N, 3 C]
  const float* context;  // of this sample, [M, 2 C]
  const float *query_gain, *key_gain, *cos, *sin;
};

// Where the gradients of this head go: laid out as the inputs are; the gains' are [d], of this head alone.
struct AttentionHeadGradient {
  float *qkv, *context, *query_gain, *key_gain;
};

int64_t attention_forward_scratch(const AttentionHead& head);   // numbers that `scratch` must hold
int64_t attention_backward_scratch(const AttentionHead& head);

// y [N, C] of this sample, of which this head fills its columns; log_sum [N].
void attention_forward_head(const AttentionHead& head, float* y, float* log_sum, float* scratch);
void attention_backward_head(const AttentionHead& head, const float* y, const float* log_sum, const float* dy, const AttentionHeadGradient& gradient,
                             float* scratch);

}  // namespace ldlm
