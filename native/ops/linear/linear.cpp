#include "ops/linear/linear.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include "ops/fast_paths.h"
#include "ops/wants_gradient.h"

namespace ldlm {

namespace {

// oneDNN's linear layer as torch.compile calls it. libtorch ships no header for it, so it is looked up by name; a libtorch without
// oneDNN does not have it. Next to mkldnn_matmul it adds the bias in the product and costs some 10 us less a call.
using LinearPointwise = Tensor(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias, std::string_view activation,
                               c10::List<std::optional<at::Scalar>> scalars, std::optional<std::string_view> algorithm);
using Operator = std::optional<c10::TypedOperatorHandle<LinearPointwise>>;

const Operator& linear_pointwise() {
  static const Operator found = [] {
    const auto op = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    return op ? Operator(op->typed<LinearPointwise>()) : Operator();
  }();
  return found;
}

thread_local bool bf16_products = false;

// Whether b, the right operand, lies transposed in memory, as in the products of a backward pass, and oneDNN is slow with it: in fp32 with
// AVX2 it reaches 0.38 to 1.09 times MKL's rate there. With AVX-512 MKL may be the slow one (docs/log.md).
bool is_mkls(const Tensor& b) {
#if defined(__x86_64__)
  static const bool avx512 = __builtin_cpu_supports("avx512f");
  return !avx512 && b.scalar_type() == at::kFloat && !b.is_contiguous() && b.t().is_contiguous();
#else
  return false;
#endif
}

// a [..., K] times the transpose of b [N, K], fp32 or bf16. b may be a transposed view; oneDNN copies a if it is one.
Tensor product(const Tensor& a, const Tensor& b, const std::optional<Tensor>& bias = std::nullopt) {
  const at::AutoDispatchBelowADInplaceOrView no_gradient;
  if (!bias && is_mkls(b)) return at::matmul(a, b.t());
  return linear_pointwise()->call(a, b, bias, "none", c10::List<std::optional<at::Scalar>>(), "");
}

bool takes_onednn(const Tensor& x, const Tensor& weight_OI) {
  // Decided by the layer, never by the number of rows: a sample must not round differently in a larger batch.
  const bool fits = multiplies_in_bf16(x, weight_OI) || (x.is_cpu() && x.scalar_type() == at::kFloat && weight_OI.scalar_type() == at::kFloat);
  return fast_paths() && fits && x.numel() > 0 && at::globalContext().userEnabledMkldnn() && linear_pointwise();
}

Tensor bf16(const Tensor& t) { return t.to(at::kBFloat16); }
std::optional<Tensor> bf16(const std::optional<Tensor>& t) { return t ? std::optional(bf16(*t)) : std::nullopt; }

// dy^T x. Of the two ways to write it, the one where oneDNN copies the narrower operand.
Tensor product_of_transposed(const Tensor& dy_MO, const Tensor& x_MI) {
  return dy_MO.size(1) <= x_MI.size(1) ? product(dy_MO.t(), x_MI.t()) : product(x_MI.t(), dy_MO.t()).t();
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& weight_OI, const std::optional<Tensor>& bias_O) {
    context->saved_data["bias"] = bias_O.has_value();
    if (!multiplies_in_bf16(x, weight_OI)) {
      context->save_for_backward({x, weight_OI});
      return product(x, weight_OI, bias_O);
    }
    const Tensor x16 = bf16(x), weight16_OI = bf16(weight_OI);
    context->save_for_backward({x16, weight16_OI});
    return product(x16, weight16_OI, bf16(bias_O)).to(at::kFloat);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight_OI = saved[1];
    const Tensor dy = gradients[0].contiguous().view({-1, gradients[0].size(-1)}), rounded = dy.to(x.scalar_type());  // as the forward pass was
    Tensor dx, dweight, dbias;
    if (context->needs_input_grad(0)) dx = product(rounded, weight_OI.t()).view(x.sizes()).to(at::kFloat);
    if (context->needs_input_grad(1)) dweight = product_of_transposed(rounded, x.reshape({-1, x.size(-1)})).to(at::kFloat);
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) dbias = dy.sum(0);
    return {dx, dweight, dbias};
  }
};

}  // namespace

bool multiplies_in_bf16(const Tensor& x, const Tensor& weight_OI) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && (bf16_products || weight_OI.scalar_type() == at::kBFloat16);
}

Bf16Products::Bf16Products(bool enabled) : before_(bf16_products) { bf16_products = bf16_products || enabled; }
Bf16Products::~Bf16Products() { bf16_products = before_; }

bool Bf16Products::supported() {
#if defined(__x86_64__)
  return linear_pointwise() && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

Tensor weight_gradient(const Tensor& dy_MO, const Tensor& x_MI) {
  if (!takes_onednn(dy_MO, x_MI)) return at::matmul(dy_MO.t(), x_MI);
  return multiplies_in_bf16(dy_MO, x_MI) ? product_of_transposed(bf16(dy_MO), bf16(x_MI)).to(at::kFloat) : product_of_transposed(dy_MO, x_MI);
}

Tensor linear(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O) {
  if (!takes_onednn(x, weight_OI)) return linear_reference(x, weight_OI, bias_O);
  TORCH_CHECK_VALUE(weight_OI.dim() == 2 && weight_OI.size(1) == x.size(-1), "linear: weight must be [O, ", x.size(-1), "], got ", weight_OI.sizes());
  TORCH_CHECK_VALUE(!bias_O.defined() || bias_O.sizes() == weight_OI.sizes().slice(0, 1), "linear: bias must be [", weight_OI.size(0), "], got ", bias_O.sizes());
  const auto bias = bias_O.defined() ? std::optional(bias_O) : std::nullopt;
  if (wants_gradient({x, weight_OI, bias_O})) return LinearFunction::apply(x, weight_OI, bias);
  return multiplies_in_bf16(x, weight_OI) ? product(bf16(x), bf16(weight_OI), bf16(bias)).to(at::kFloat) : product(x, weight_OI, bias);
}

}  // namespace ldlm
