#include "ops/adaln/adaln.h"

#include "ops/adaln/adaln_cpu.h"
#include "ops/fast_paths.h"
#include "ops/recorded.h"
#include "ops/row_norm/row_norm.h"
#include "ops/wants_gradient.h"

namespace ldlm {

namespace {

constexpr int64_t kGrain = 1 << 15;  // enough numbers for a thread to be worth waking

struct Forward {
  Tensor y, mean, rstd;
};

// The distance between two samples' vectors; 0 where all share one.
int64_t sample_stride(const Tensor& t_B1C) { return t_B1C.size(0) == 1 ? 0 : t_B1C.stride(0); }

Forward run_forward(const Tensor& x, const Tensor& shift, const Tensor& scale, double eps) {
  const int64_t batch = x.size(0), rows = x.size(1), width = x.size(2);
  const Forward result = {at::empty_like(x), at::empty({batch, rows}, x.options()), at::empty({batch, rows}, x.options())};
  const float *in = x.const_data_ptr<float>(), *shifts = shift.const_data_ptr<float>(), *scales = scale.const_data_ptr<float>();
  float *out = result.y.mutable_data_ptr<float>(), *means = result.mean.mutable_data_ptr<float>(), *rstds = result.rstd.mutable_data_ptr<float>();
  const int64_t shift_stride = sample_stride(shift), scale_stride = sample_stride(scale);
  at::parallel_for(0, batch, std::max<int64_t>(1, kGrain / (rows * width)), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      adaln_forward_rows(in + b * rows * width, shifts + b * shift_stride, scales + b * scale_stride, out + b * rows * width, means + b * rows,
                         rstds + b * rows, rows, width, static_cast<float>(eps));
    }
  });
  return result;
}

class AdalnFunction : public torch::autograd::Function<AdalnFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& shift, const Tensor& scale, double eps) {
    const Forward result = run_forward(x, shift, scale, eps);
    context->save_for_backward({x, scale, result.mean, result.rstd});
    return result.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &scale = saved[1], &mean = saved[2], &rstd = saved[3];
    const Tensor dy = gradients[0].contiguous();
    const int64_t batch = x.size(0), rows = x.size(1), width = x.size(2);
    Tensor dx = at::empty_like(x);
    const Tensor dshift = at::zeros({batch, 1, width}, x.options()), dscale = at::zeros_like(dshift), sums = at::empty({2, width}, x.options());
    const float *in = x.const_data_ptr<float>(), *scales = scale.const_data_ptr<float>(), *grad = dy.const_data_ptr<float>();
    const float *means = mean.const_data_ptr<float>(), *rstds = rstd.const_data_ptr<float>();
    float *out = dx.mutable_data_ptr<float>(), *shift_out = dshift.mutable_data_ptr<float>(), *scale_out = dscale.mutable_data_ptr<float>();
    // One thread, since training gets its parallelism from the parts of the batch.
    for (int64_t b = 0; b < batch; ++b) {
      adaln_backward_rows(in + b * rows * width, scales + b * sample_stride(scale), means + b * rows, rstds + b * rows, grad + b * rows * width,
                          out + b * rows * width, shift_out + b * width, scale_out + b * width, sums.mutable_data_ptr<float>(), rows, width);
    }
    return {dx, dshift, dscale, Tensor()};
  }
};

}  // namespace

Tensor adaln(const Tensor& x_BNC, const Tensor& shift_B1C, const Tensor& scale_B1C, double eps) {
  const RecordedOp record("ldlm::adaln");
  TORCH_CHECK_VALUE(x_BNC.dim() == 3, "adaln: x must be [B, N, C], got ", x_BNC.sizes());
  const int64_t batch = x_BNC.size(0), width = x_BNC.size(2);
  bool kernel = fast_paths() && x_BNC.device().is_cpu() && x_BNC.scalar_type() == at::kFloat && x_BNC.is_contiguous() && x_BNC.numel() > 0;
  const bool gradient = wants_gradient({x_BNC, shift_B1C, scale_B1C});
  for (const Tensor& t : {shift_B1C, scale_B1C}) {
    const bool fits = t.dim() == 3 && (t.size(0) == batch || t.size(0) == 1) && t.size(1) == 1 && t.size(2) == width;
    TORCH_CHECK_VALUE(fits, "adaln: shift and scale must be [B, 1, C] = [", batch, ", 1, ", width, "] or [1, 1, C], got ", t.sizes());
    // The backward kernel has a gradient for every sample; that of a vector shared by several would be their sum.
    kernel = kernel && t.scalar_type() == at::kFloat && t.stride(2) == 1 && (!gradient || t.size(0) == batch);
  }
  if (const auto y = adaln_cuda(x_BNC, shift_B1C, scale_B1C, eps)) return *y;
  if (!kernel) return adaln_reference(x_BNC, shift_B1C, scale_B1C, eps);
  return gradient ? AdalnFunction::apply(x_BNC, shift_B1C, scale_B1C, eps) : run_forward(x_BNC, shift_B1C, scale_B1C, eps).y;
}

}  // namespace ldlm
