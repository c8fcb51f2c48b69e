// Shared by the native tests: finite differences in fp64 and the calibrated comparison of style "error against the same dtype".
#pragma once

#include <gtest/gtest.h>

#include "torch.h"

namespace ldlm::test {

inline double max_difference(const Tensor& a, const Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// Compares autograd's gradient of sum(weights * f(inputs)) with central differences, at up to `probes` entries of each input.
// All inputs are fp64 leaves with requires_grad. Returns the largest relative error.
double gradient_error(const std::function<Tensor()>& f, const std::vector<Tensor>& inputs, int64_t probes = 12);

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

// err(kernel, fp64 reference) <= 2 err(reference of the same dtype, fp64 reference) + atol forward, 3 for each gradient; err is a root mean
// square. `options`: dtype and device of the kernel and of the reference that it is measured with.
void expect_as_good_as_reference(const Function& kernel, const Function& reference, const std::vector<Tensor>& inputs,
                                 const at::TensorOptions& options = at::kFloat);

}  // namespace ldlm::test
