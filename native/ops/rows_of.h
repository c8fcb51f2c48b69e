// A tensor as the rows that CPU kernels read without a copy.
#pragma once

#include "ops/strided_rows.h"
#include "torch.h"

namespace ldlm {

// The rows of the last dimension of a dense tensor, or of a slice [B, L, C] or [B, L, heads, d] of a fused projection; nothing for other
// layouts. Of four dimensions, `outer` counts B * L and `inner` the heads. x must not be empty.
std::optional<StridedRows> rows_of(const Tensor& x);

}  // namespace ldlm
