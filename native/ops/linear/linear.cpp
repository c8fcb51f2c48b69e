#include "ops/linear/linear.h"

#include "ops/wants_gradient.h"

#ifdef LDLM_ONEDNN
// Exported by libtorch_cpu, but its header is not among those shipped; CMakeLists.txt looks whether it is there.
// result = alpha mat1 mat2 + beta result, for dense or transposed matrices; primitives are cached by shape.
namespace at::native {
void mkldnn_matmul(const at::Tensor& mat1, const at::Tensor& mat2, const at::Tensor& result, float beta, float alpha);
}
#endif

namespace ldlm {

#ifdef LDLM_ONEDNN

namespace {

Tensor product(const Tensor& a_MK, const Tensor& b_KN) {
  Tensor result = at::empty({a_MK.size(0), b_KN.size(1)}, a_MK.options());
  at::native::mkldnn_matmul(a_MK, b_KN, result, /*beta=*/0, /*alpha=*/1);
  return result;
}

// Dimensions but the last joined: [..., C] -> [M, C].
Tensor as_rows(const Tensor& x) { return x.reshape({-1, x.size(-1)}); }

Tensor project(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O) {
  const Tensor rows = as_rows(x);
  Tensor y;
  if (bias_O.defined()) {
    y = bias_O.unsqueeze(0).repeat({rows.size(0), 1});  // the product is added to it
    at::native::mkldnn_matmul(rows, weight_OI.t(), y, /*beta=*/1, /*alpha=*/1);
  } else {
    y = product(rows, weight_OI.t());
  }
  std::vector<int64_t> shape(x.sizes().begin(), x.sizes().end());
  shape.back() = weight_OI.size(0);
  return y.view(shape);
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& weight_OI, const std::optional<Tensor>& bias_O) {
    context->save_for_backward({x, weight_OI});
    context->saved_data["bias"] = bias_O.has_value();
    return project(x, weight_OI, bias_O.value_or(Tensor()));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight_OI = saved[1];
    const Tensor dy = as_rows(gradients[0]).contiguous();
    Tensor dx, dweight, dbias;
    if (context->needs_input_grad(0)) dx = product(dy, weight_OI).view(x.sizes());
    if (context->needs_input_grad(1)) dweight = product(dy.t(), as_rows(x));
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) dbias = dy.sum(0);
    return {dx, dweight, dbias};
  }
};

bool takes_onednn(const Tensor& x, const Tensor& weight_OI) {
  // Decided by the layer, never by the number of rows: a sample must not round differently in a larger batch.
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && weight_OI.scalar_type() == at::kFloat && x.numel() > 0 &&
         at::globalContext().userEnabledMkldnn();
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O) {
  if (!takes_onednn(x, weight_OI)) return linear_reference(x, weight_OI, bias_O);
  TORCH_CHECK_VALUE(weight_OI.dim() == 2 && weight_OI.size(1) == x.size(-1), "linear: weight must be [O, ", x.size(-1), "], got ", weight_OI.sizes());
  TORCH_CHECK_VALUE(!bias_O.defined() || bias_O.sizes() == weight_OI.sizes().slice(0, 1), "linear: bias must be [", weight_OI.size(0), "], got ", bias_O.sizes());
  if (!wants_gradient({x, weight_OI, bias_O})) return project(x, weight_OI, bias_O);
  return LinearFunction::apply(x, weight_OI, bias_O.defined() ? std::optional(bias_O) : std::nullopt);
}

#else

Tensor linear(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O) { return linear_reference(x, weight_OI, bias_O); }

#endif

}  // namespace ldlm
