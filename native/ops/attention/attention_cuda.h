// attention.h on a GPU, in bf16: a kernel of ours splits, norms and turns the heads, cuDNN (else libtorch's flash attention) does the
// products, and on the way back a kernel of ours does the reverse. Nothing comes back from a build without CUDA, or where it does not fit:
// a width of heads that is not 16, 32, 64 or 128, or inputs that are not contiguous bf16. Gains may be fp32; cos and sin are.
#pragma once

#include "ops/attention/attention.h"

namespace ldlm {

std::optional<Tensor> attention_cuda(const Tensor& qkv_BN3C, const Tensor& context_BM2C, const AttentionOptions& options);

}  // namespace ldlm
