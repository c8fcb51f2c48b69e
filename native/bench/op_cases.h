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
  bool differentiable = true;  // has a backward pass to be timed by itself
};

std::vector<OpCase> op_cases(const ModelConfig& config, int64_t batch, const at::Device& device);

// One pass of an op: milliseconds a repeat, kernel and reference in turns, and CPU time of all threads.
struct PassTimes {
  std::vector<double> kernel_ms, reference_ms, kernel_cpu_ms, reference_cpu_ms;
  double flops, bytes;
};
struct OpTimes {
  std::string op, shape;
  PassTimes forward;
  std::optional<PassTimes> backward;  // nothing for an op without a gradient
};

OpTimes time_op(const OpCase& op_case, int64_t repeats);

}  // namespace ldlm
