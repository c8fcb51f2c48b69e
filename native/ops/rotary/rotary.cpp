#include "ops/rotary/rotary.h"

#include "ops/fast_paths.h"
#include "ops/recorded.h"
#include "ops/rotary/rotary_cpu.h"
#include "ops/rows_of.h"
#include "ops/wants_gradient.h"

namespace ldlm {

namespace {

constexpr int64_t kGrain = 1 << 15;  // enough numbers for a thread to be worth waking

Tensor run(const Tensor& input, const Tensor& cos, const Tensor& sin, float direction) {
  const Tensor x = rows_of(input) ? input : input.contiguous();
  const StridedRows rows = *rows_of(x);
  const Tensor y = at::empty(x.sizes(), x.options());
  const float *in = x.const_data_ptr<float>(), *c = cos.const_data_ptr<float>(), *s = sin.const_data_ptr<float>();
  float* out = y.mutable_data_ptr<float>();
  at::parallel_for(0, rows.outer, std::max<int64_t>(1, kGrain / (rows.inner * rows.width)), [&](int64_t begin, int64_t end) {
    rotary_rows(in, c, s, out, rows, x.size(1), direction, begin, end);
  });
  return y;
}

class RotaryFunction : public torch::autograd::Function<RotaryFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& cos, const Tensor& sin) {
    context->save_for_backward({cos, sin});
    return run(x, cos, sin, 1);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    return {run(gradients[0], saved[0], saved[1], -1), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor rotary(const Tensor& x_BLHd, const Tensor& cos, const Tensor& sin) {
  const RecordedOp record("ldlm::rotary");
  TORCH_CHECK_VALUE(x_BLHd.dim() == 4 && x_BLHd.size(3) % 2 == 0, "rotary: x must be [B, L, heads, d] with an even d, got ", x_BLHd.sizes());
  const int64_t shape[] = {x_BLHd.size(1), x_BLHd.size(3) / 2};
  TORCH_CHECK_VALUE(cos.sizes() == at::IntArrayRef(shape) && sin.sizes() == cos.sizes(), "rotary: cos and sin must be [L, d/2] = [", shape[0], ", ",
                    shape[1], "], got ", cos.sizes(), " and ", sin.sizes());
  const bool fp32 = x_BLHd.scalar_type() == at::kFloat && cos.scalar_type() == at::kFloat && sin.scalar_type() == at::kFloat;
  const bool kernel = fast_paths() && x_BLHd.device().is_cpu() && fp32 && cos.is_contiguous() && sin.is_contiguous() && x_BLHd.numel() > 0;
  if (!kernel) return rotary_reference(x_BLHd, cos, sin);
  return wants_gradient({x_BLHd}) ? RotaryFunction::apply(x_BLHd, cos, sin) : run(x_BLHd, cos, sin, 1);
}

}  // namespace ldlm
