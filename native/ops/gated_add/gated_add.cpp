#include "ops/gated_add/gated_add.h"

#include "ops/fast_paths.h"
#include "ops/recorded.h"
#include "ops/wants_gradient.h"
#ifdef LDLM_CUDA
#include "ops/cuda_call.h"
#include "ops/gated_add/gated_add.cuh"
#endif

namespace ldlm {

#ifdef LDLM_CUDA

namespace {

GatedAdd gated_add_of(const Tensor& gate, const Tensor& f) {
  const int64_t stride = gate.size(0) == 1 ? 0 : gate.stride(0);
  return {f.size(0), f.size(1), f.size(2), stride, number_type(f), gate.const_data_ptr(), f.const_data_ptr()};
}

Tensor run_forward(const Tensor& x, const Tensor& gate, const Tensor& f) {
  const c10::cuda::CUDAGuard guard(f.device());
  const Tensor y = at::empty_like(f);
  C10_CUDA_CHECK(launch_gated_add_forward(gated_add_of(gate, f), x.const_data_ptr(), y.mutable_data_ptr(), c10::cuda::getCurrentCUDAStream()));
  return y;
}

class GatedAddFunction : public torch::autograd::Function<GatedAddFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& gate, const Tensor& f) {
    context->save_for_backward({gate, f});
    return run_forward(x, gate, f);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &gate = saved[0], &f = saved[1], dy = gradients[0].contiguous();
    const c10::cuda::CUDAGuard guard(f.device());
    const GatedAdd op = gated_add_of(gate, f);
    const Tensor df = at::empty_like(f), sums = at::empty({gated_add_parts(op), op.samples, 1, op.width}, f.options().dtype(at::kFloat));
    C10_CUDA_CHECK(launch_gated_add_backward(op, dy.const_data_ptr(), df.mutable_data_ptr(), sums.mutable_data_ptr<float>(),
                                             c10::cuda::getCurrentCUDAStream()));
    return {dy, sums.sum(at::IntArrayRef{0}).to(gate.scalar_type()), df};
  }
};

bool fits_kernel(const Tensor& x, const Tensor& gate, const Tensor& f) {
  for (const Tensor& t : {x, gate, f}) {
    if (!t.is_cuda() || !has_number_type(t) || t.scalar_type() != f.scalar_type() || !has_aligned_rows(t)) return false;
  }
  const bool one_gate_a_sample = gate.dim() == 3 && (gate.size(0) == f.size(0) || gate.size(0) == 1) && gate.size(1) == 1 && gate.size(2) == f.size(2);
  return fast_paths() && f.numel() > 0 && x.is_contiguous() && f.is_contiguous() && x.sizes() == f.sizes() && one_gate_a_sample &&
         f.size(2) % 8 == 0 && f.size(2) <= kGatedAddWidest;
}

}  // namespace

#endif

Tensor gated_add(const Tensor& x_BNC, const Tensor& gate_B1C, const Tensor& f_BNC) {
  const RecordedOp record("ldlm::gated_add");
#ifdef LDLM_CUDA
  if (fits_kernel(x_BNC, gate_B1C, f_BNC)) {
    if (!wants_gradient({x_BNC, gate_B1C, f_BNC})) return run_forward(x_BNC, gate_B1C, f_BNC);
    // The backward kernel has a gradient for every sample; that of a gate shared by several would be their sum.
    if (gate_B1C.size(0) == f_BNC.size(0)) return GatedAddFunction::apply(x_BNC, gate_B1C, f_BNC);
  }
#endif
  return gated_add_reference(x_BNC, gate_B1C, f_BNC);
}

}  // namespace ldlm
