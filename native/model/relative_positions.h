// Attention that knows distances by a learned bias of its scores, one a bucket of distances and head (Raffel et al. 2020; T5, MPNet).
#pragma once

#include "torch.h"

namespace ldlm {

// biases [buckets, heads] -> [1, heads, L, L], to be added to the scores of query i and key j. Half of the buckets are for keys behind the
// query. In each half, half of the buckets hold one distance each, the others grow logarithmically up to `last_distance`.
Tensor relative_position_bias(const Tensor& biases, int64_t length, int64_t last_distance);

// bias [1, heads, L, L] and mask [B, 1, 1, L] bool -> [B, heads, L, L]: minus infinity where not to look.
Tensor masked_bias(const Tensor& bias, const Tensor& mask);

}  // namespace ldlm
