// What is done with the logits of a large vocabulary, without ever holding them: at 50 257 tokens the logits of a batch of 512 x 128 would be
// 13 GB, and their gradient as much again. Rows go in chunks whose logits take about 64 MB; how rows are chunked never changes a row.
//   x        [R, H]  any float dtype            head  [V, H]  same dtype
//   targets  [R]     int64 in [0, V), or negative: that row does not count
#pragma once

#include "torch.h"

namespace ldlm {

// Sum over the rows that count of -log softmax(x head^T)[target], an fp32 scalar. Differentiable in x and head; the gradient is made with
// the loss, chunk by chunk, and kept [R, H] and [V, H].
Tensor vocabulary_cross_entropy(const Tensor& x_RH, const Tensor& head_VH, const Tensor& targets_R);
Tensor vocabulary_cross_entropy_reference(const Tensor& x_RH, const Tensor& head_VH, const Tensor& targets_R);

// The most likely token of each row, [R] int64; the first of equals.
Tensor vocabulary_argmax(const Tensor& x_RH, const Tensor& head_VH);

}  // namespace ldlm
