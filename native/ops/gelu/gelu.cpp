#include "ops/gelu/gelu.h"

#include "ops/gelu/gelu_cpu.h"

namespace ldlm {

namespace {

constexpr int64_t kGrain = 1 << 15;

class GeluFunction : public torch::autograd::Function<GeluFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& input) {
    const Tensor x = input.contiguous();
    Tensor y = at::empty_like(x);
    const float* in = x.const_data_ptr<float>();
    float* out = y.mutable_data_ptr<float>();
    at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) { gelu_forward(in + begin, out + begin, end - begin); });
    context->save_for_backward({x});
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const Tensor x = context->get_saved_variables()[0], dy = gradients[0].contiguous();
    Tensor dx = at::empty_like(x);
    const float *in = x.const_data_ptr<float>(), *grad = dy.const_data_ptr<float>();
    float* out = dx.mutable_data_ptr<float>();
    at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) { gelu_backward(in + begin, grad + begin, out + begin, end - begin); });
    return {dx};
  }
};

}  // namespace

Tensor gelu_tanh(const Tensor& x) {
  const bool kernel = x.device().is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0;
  return kernel ? GeluFunction::apply(x) : gelu_tanh_reference(x);
}

}  // namespace ldlm
