// Every op of native/ops at the shapes that a network gives it, against its reference: what `ldlm bench ops` runs.
#pragma once

#include "model/config.h"
#include "torch.h"

namespace ldlm {

struct OpCase {
  using Function = std::function<Tensor(const std::vector<Tensor>& inputs)>;

  std::string op, shape;
  std::vector<Tensor> inputs;  // those with requires_grad are differentiated
  Function kernel, reference;
  // Work of the forward and of the backward pass: operations of matrix products, and bytes that must be read and written at least.
  double forward_flops, backward_flops;
  double forward_bytes, backward_bytes;
};

std::vector<OpCase> op_cases(const ModelConfig& config, int64_t batch, const at::Device& device);

struct OpTimes {
  std::string op, shape;
  // Milliseconds a repeat, kernel and reference in turns. Backward is empty for an op without a gradient.
  std::vector<double> kernel_forward, reference_forward, kernel_backward, reference_backward;
  double forward_flops, backward_flops, forward_bytes, backward_bytes;
};

OpTimes time_op(const OpCase& op_case, int64_t repeats);

}  // namespace ldlm
