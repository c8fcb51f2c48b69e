// Launcher of the CUDA kernel of vocabulary.h.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace ldlm {

// logits bf16 [rows, stride], of which the first `vocabulary` columns count, stride a multiple of 8; targets int64 [rows], negative: the row does not count.
// loss fp32 [rows], 0 where it does not count. With `gradient`, the logits become softmax(logits) - one_hot(target), or 0, as do
// the columns behind them.
// Limit: memory bandwidth, the logits read once, and written once with `gradient`.
cudaError_t launch_cross_entropy(void* logits, const int64_t* targets, float* loss, int64_t rows, int64_t vocabulary, int64_t stride, bool gradient,
                                 cudaStream_t stream);

}  // namespace ldlm
