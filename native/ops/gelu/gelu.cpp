#include "ops/gelu/gelu.h"

#include <algorithm>
#include <functional>

#include "ops/fast_paths.h"
#include "ops/gelu/gelu_cpu.h"
#include "ops/linear/linear.h"
#include "ops/recorded.h"
#include "ops/wants_gradient.h"

namespace ldlm {

namespace {

// Threads get whole runs of this many numbers: what is left of a vector register rounds otherwise, so only the end of all may be ragged.
constexpr int64_t kRun = 64, kGrain = (1 << 15) / kRun;

void for_each_range(int64_t count, const std::function<void(int64_t begin, int64_t length)>& work) {
  at::parallel_for(0, (count + kRun - 1) / kRun, kGrain, [&](int64_t begin, int64_t end) { work(begin * kRun, std::min(end * kRun, count) - begin * kRun); });
}

Tensor run_forward(const Tensor& x) {
  Tensor y = at::empty_like(x);
  const float* in = x.const_data_ptr<float>();
  float* out = y.mutable_data_ptr<float>();
  for_each_range(x.numel(), [&](int64_t begin, int64_t length) { gelu_forward(in + begin, out + begin, length); });
  return y;
}

class GeluFunction : public torch::autograd::Function<GeluFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& input) {
    const Tensor x = input.contiguous();
    context->save_for_backward({x});
    return run_forward(x);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const Tensor x = context->get_saved_variables()[0], dy = gradients[0].contiguous();
    Tensor dx = at::empty_like(x);
    const float *in = x.const_data_ptr<float>(), *grad = dy.const_data_ptr<float>();
    float* out = dx.mutable_data_ptr<float>();
    for_each_range(x.numel(), [&](int64_t begin, int64_t length) { gelu_backward(in + begin, grad + begin, out + begin, length); });
    return {dx};
  }
};

bool fits_product(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O) {
  const bool bf16 = x.scalar_type() == at::kBFloat16 && weight_OI.scalar_type() == at::kBFloat16;
  return fast_paths() && x.is_cuda() && bf16 && x.numel() > 0 && bias_O.defined() && !wants_gradient({x, weight_OI, bias_O});
}

}  // namespace

Tensor gelu_tanh(const Tensor& x) {
  const RecordedOp record("ldlm::gelu_tanh");
  const bool kernel = fast_paths() && x.device().is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0;
  if (!kernel) return gelu_tanh_reference(x);
  return wants_gradient({x}) ? GeluFunction::apply(x) : run_forward(x.contiguous());
}

Tensor linear_gelu_tanh(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O) {
  if (!fits_product(x, weight_OI, bias_O)) return gelu_tanh(ldlm::linear(x, weight_OI, bias_O));
  const Tensor y = at::_addmm_activation(bias_O, x.reshape({-1, x.size(-1)}), weight_OI.t(), 1, 1, /*use_gelu=*/true);
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = y.size(-1);
  return y.view(sizes);
}

}  // namespace ldlm
