#include "bench/op_flops.h"

namespace ldlm {

namespace {

double count_of(const Tensor& t) { return static_cast<double>(t.numel()); }

// [..., K] times K x N: the numbers of the left side, each used N times.
double product(const Tensor& a, int64_t columns) { return 2.0 * count_of(a) * static_cast<double>(columns); }

// q [B, heads, N, d], k [B, heads, M, d]: `products` matrix products of N x d x M. Masked and causal entries count.
double attention(const Tensor& q, const Tensor& k, double products) { return products * product(q, k.size(-2)); }

}  // namespace

double op_flops(const std::string& name, c10::ArrayRef<const c10::IValue> inputs) {
  if (name.starts_with("ldlm::") && inputs.size() == 1 && inputs[0].isDouble()) return inputs[0].toDouble();  // RecordedOp
  const auto has = [&](size_t count) {
    return inputs.size() > count - 1 && std::all_of(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(count),
                                                    [](const c10::IValue& value) { return value.isTensor() && value.toTensor().defined(); });
  };
  if ((name == "mkldnn::_linear_pointwise") && has(2)) return product(inputs[0].toTensor(), inputs[1].toTensor().size(0));
  if ((name == "aten::mm" || name == "aten::bmm") && has(2)) return product(inputs[0].toTensor(), inputs[1].toTensor().size(-1));
  if ((name == "aten::addmm" || name == "aten::baddbmm") && has(3)) return product(inputs[1].toTensor(), inputs[2].toTensor().size(-1));
  if (name == "aten::_scaled_dot_product_flash_attention_for_cpu" && has(2)) return attention(inputs[0].toTensor(), inputs[1].toTensor(), 2);
  if (name == "aten::_scaled_dot_product_flash_attention_for_cpu_backward" && has(3)) {
    return attention(inputs[1].toTensor(), inputs[2].toTensor(), 5);  // the scores are computed anew, then four gradients
  }
  return 0;
}

}  // namespace ldlm
