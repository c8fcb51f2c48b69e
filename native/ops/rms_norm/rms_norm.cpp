#include "ops/rms_norm/rms_norm.h"

#include "ops/fast_paths.h"
#include "ops/recorded.h"
#include "ops/rms_norm/rms_norm_cpu.h"
#include "ops/row_norm/row_norm.h"
#include "ops/rows_of.h"
#include "ops/wants_gradient.h"

namespace ldlm {

namespace {

// Enough rows of work for a thread to be worth waking.
constexpr int64_t kGrain = 1 << 15;
constexpr int64_t kRowsPerSum = 64;

const float* data_or_null(const Tensor& t) { return t.defined() ? t.const_data_ptr<float>() : nullptr; }

struct Forward {
  Tensor x, y, rstd;  // x as it was read
};

Forward run_forward(const Tensor& input, const Tensor& gain, double eps) {
  const Tensor x = rows_of(input) ? input : input.contiguous();
  const StridedRows rows = *rows_of(x);
  Tensor y = at::empty(x.sizes(), x.options()), rstd = at::empty({rows.outer * rows.inner}, x.options());
  const float *in = x.const_data_ptr<float>(), *g = data_or_null(gain);
  float *out = y.mutable_data_ptr<float>(), *scales = rstd.mutable_data_ptr<float>();
  at::parallel_for(0, rows.outer, std::max<int64_t>(1, kGrain / (rows.inner * rows.width)), [&](int64_t begin, int64_t end) {
    rms_norm_forward_rows(in, g, out, scales, rows, static_cast<float>(eps), begin, end);
  });
  return {x, y, rstd};
}

class RmsNormFunction : public torch::autograd::Function<RmsNormFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& input, const std::optional<Tensor>& optional_gain, double eps) {
    const Tensor gain = optional_gain.value_or(Tensor());
    const Forward result = run_forward(input, gain, eps);
    context->save_for_backward({result.x, gain, result.rstd});
    return result.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &gain = saved[1], &rstd = saved[2];
    const StridedRows rows = *rows_of(x);
    const Tensor dy = gradients[0].contiguous();
    Tensor dx = at::empty(x.sizes(), dy.options());
    Tensor dgain = gain.defined() ? at::zeros_like(gain) : Tensor();
    // Blocks of rows, each summed by itself: adding thousands of rows one by one to one fp32 sum would lose digits. One thread, since
    // training gets its parallelism from the parts of the batch.
    for (int64_t begin = 0; begin < rows.outer; begin += kRowsPerSum) {
      Tensor partial = gain.defined() ? at::zeros_like(gain) : Tensor();
      rms_norm_backward_rows(x.const_data_ptr<float>(), data_or_null(gain), rstd.const_data_ptr<float>(), dy.const_data_ptr<float>(),
                             dx.mutable_data_ptr<float>(), gain.defined() ? partial.mutable_data_ptr<float>() : nullptr, rows, begin,
                             std::min(begin + kRowsPerSum, rows.outer));
      if (gain.defined()) dgain.add_(partial);
    }
    return {dx, dgain, Tensor()};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& gain, double eps) {
  const RecordedOp record("ldlm::rms_norm");
  TORCH_CHECK_VALUE(!gain.defined() || (gain.dim() == 1 && gain.size(0) == x.size(-1)), "rms_norm: gain must be [C] = [", x.size(-1), "], got ",
                    gain.defined() ? gain.sizes() : at::IntArrayRef{});
  const bool kernel = fast_paths() && x.device().is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0 && (!gain.defined() || gain.scalar_type() == at::kFloat);
  if (const auto y = rms_norm_cuda(x, gain, eps)) return *y;
  if (!kernel) return rms_norm_reference(x, gain, eps);
  if (!wants_gradient({x, gain})) return run_forward(x, gain, eps).y;
  return RmsNormFunction::apply(x, gain.defined() ? std::optional(gain) : std::nullopt, eps);
}

}  // namespace ldlm
