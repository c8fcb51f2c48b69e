#include "ops/row_norm/row_norm.h"

#ifdef LDLM_CUDA
#include "ops/cuda_call.h"
#include "ops/fast_paths.h"
#include "ops/row_norm/row_norm.cuh"
#include "ops/wants_gradient.h"
#endif

namespace ldlm {

#ifdef LDLM_CUDA

namespace {

// RMS norm looks at all rows as those of one sample; its shift is undefined, and its gain, if any, stands for the scale.
struct Inputs {
  Tensor x_BNC, shift, scale;
  bool centered;
  double eps;
};

int64_t sample_stride(const Tensor& t_B1C) { return t_B1C.dim() < 3 || t_B1C.size(0) == 1 ? 0 : t_B1C.stride(0); }
const void* data_or_null(const Tensor& t) { return t.defined() ? t.const_data_ptr() : nullptr; }

at::ScalarType output_type(const Inputs& in) {
  return in.scale.defined() && autocast_to_bf16() ? at::kBFloat16 : in.x_BNC.scalar_type();
}

RowNorm row_norm_of(const Inputs& in, NumberType out) {
  return {in.x_BNC.size(0), in.x_BNC.size(1), in.x_BNC.size(2),
          in.shift.defined() ? sample_stride(in.shift) : 0, in.scale.defined() ? sample_stride(in.scale) : 0,
          static_cast<float>(in.eps), in.centered,
          number_type(in.x_BNC), out, in.scale.defined() ? number_type(in.scale) : number_type(in.x_BNC),
          in.x_BNC.const_data_ptr(), data_or_null(in.shift), data_or_null(in.scale)};
}

struct Forward {
  Tensor y, mean, rstd;
};

Forward run_forward(const Inputs& in, bool gradient) {
  const c10::cuda::CUDAGuard guard(in.x_BNC.device());
  Forward result = {at::empty(in.x_BNC.sizes(), in.x_BNC.options().dtype(output_type(in))), {}, {}};
  if (gradient) {
    const auto options = in.x_BNC.options().dtype(at::kFloat);
    result.rstd = at::empty({in.x_BNC.size(0), in.x_BNC.size(1)}, options);
    if (in.centered) result.mean = at::empty_like(result.rstd);
  }
  const auto floats = [](const Tensor& t) { return t.defined() ? t.mutable_data_ptr<float>() : nullptr; };
  C10_CUDA_CHECK(launch_row_norm_forward(row_norm_of(in, number_type(result.y)), result.y.mutable_data_ptr(), floats(result.mean),
                                         floats(result.rstd), c10::cuda::getCurrentCUDAStream()));
  return result;
}

class RowNormFunction : public torch::autograd::Function<RowNormFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const std::optional<Tensor>& shift,
                        const std::optional<Tensor>& scale, bool centered, double eps) {
    const Inputs in = {x, shift.value_or(Tensor()), scale.value_or(Tensor()), centered, eps};
    const Forward result = run_forward(in, true);
    context->save_for_backward({in.x_BNC, in.shift, in.scale, result.mean, result.rstd});
    context->saved_data["centered"] = centered;
    context->saved_data["eps"] = eps;
    return result.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Inputs in = {saved[0], saved[1], saved[2], context->saved_data["centered"].toBool(), context->saved_data["eps"].toDouble()};
    const Tensor &mean = saved[3], &rstd = saved[4], dy = gradients[0].contiguous();
    const c10::cuda::CUDAGuard guard(in.x_BNC.device());
    const RowNorm norm = row_norm_of(in, number_type(dy));
    const Tensor dx = at::empty_like(in.x_BNC), sums = at::empty({row_norm_parts(norm), norm.samples, 2, norm.width}, rstd.options());
    C10_CUDA_CHECK(launch_row_norm_backward(norm, dy.const_data_ptr(), in.centered ? mean.const_data_ptr<float>() : nullptr,
                                            rstd.const_data_ptr<float>(), dx.mutable_data_ptr(), sums.mutable_data_ptr<float>(),
                                            c10::cuda::getCurrentCUDAStream()));
    if (!in.scale.defined()) return {dx, Tensor(), Tensor(), Tensor(), Tensor()};
    const Tensor total = sums.sum(at::IntArrayRef{0}).to(in.scale.scalar_type());  // [B, 2, C]
    if (!in.centered) return {dx, Tensor(), total.select(0, 0).select(0, 1), Tensor(), Tensor()};
    return {dx, total.narrow(1, 0, 1), total.narrow(1, 1, 1), Tensor(), Tensor()};
  }
};

bool fits(const Tensor& x) {
  return fast_paths() && x.is_cuda() && has_number_type(x) && x.numel() > 0 && x.is_contiguous() && x.size(-1) % 8 == 0 &&
         x.size(-1) <= kRowNormWidest && has_aligned_rows(x);
}

// The kernels know fp32 vectors with any x, and bf16 vectors with a bf16 x.
bool fits(const Tensor& vector, const Tensor& x) {
  return has_number_type(vector) && has_aligned_rows(vector) && (vector.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

Tensor run(const Inputs& in) {
  const auto maybe = [](const Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; };
  if (!wants_gradient({in.x_BNC, in.shift, in.scale})) return run_forward(in, false).y;
  return RowNormFunction::apply(in.x_BNC, maybe(in.shift), maybe(in.scale), in.centered, in.eps);
}

}  // namespace

std::optional<Tensor> adaln_cuda(const Tensor& x_BNC, const Tensor& shift_B1C, const Tensor& scale_B1C, double eps) {
  const bool all_fit = fits(x_BNC) && fits(shift_B1C, x_BNC) && fits(scale_B1C, x_BNC) && shift_B1C.scalar_type() == scale_B1C.scalar_type();
  // The backward kernel has a gradient for every sample; that of a vector shared by several would be their sum.
  const bool own_vectors = shift_B1C.size(0) == x_BNC.size(0) && scale_B1C.size(0) == x_BNC.size(0);
  if (!all_fit || (!own_vectors && wants_gradient({x_BNC, shift_B1C, scale_B1C}))) return std::nullopt;
  return run({x_BNC, shift_B1C, scale_B1C, /*centered=*/true, eps});
}

std::optional<Tensor> rms_norm_cuda(const Tensor& x, const Tensor& gain_C, double eps) {
  if (!fits(x) || (gain_C.defined() && !fits(gain_C, x))) return std::nullopt;
  return run({x.view({1, -1, x.size(-1)}), {}, gain_C, /*centered=*/false, eps}).view(x.sizes());
}

#else

std::optional<Tensor> adaln_cuda(const Tensor&, const Tensor&, const Tensor&, double) { return std::nullopt; }
std::optional<Tensor> rms_norm_cuda(const Tensor&, const Tensor&, double) { return std::nullopt; }

#endif

}  // namespace ldlm
