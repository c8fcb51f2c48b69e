#include "ops/linear/linear.h"

namespace ldlm {

Tensor linear_reference(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O) {
  if (!multiplies_in_bf16(x, weight_OI)) return at::linear(x, weight_OI, bias_O);
  const auto bf16 = [](const Tensor& t) { return t.defined() ? t.to(at::kBFloat16) : t; };
  return at::linear(bf16(x), bf16(weight_OI), bf16(bias_O)).to(at::kFloat);
}

}  // namespace ldlm
