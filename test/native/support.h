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

}  // namespace ldlm::test
