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

class GatedAddFunction : public torch::autograd::Function<GatedAddFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& gate, const Tensor& f) {
    context->save_for_backward({gate, f});
    return gated_add_reference(x, gate, f);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &gate = saved[0], &f = saved[1], dy = gradients[0].contiguous();
    const c10::cuda::CUDAGuard guard(f.device());
    const GatedAdd op = {f.size(0), f.size(1), f.size(2), gate.stride(0), number_type(f), gate.const_data_ptr(), f.const_data_ptr(), dy.const_data_ptr()};
    const Tensor df = at::empty_like(f), sums = at::empty({gated_add_parts(op), op.samples, 1, op.width}, f.options().dtype(at::kFloat));
    C10_CUDA_CHECK(launch_gated_add_backward(op, df.mutable_data_ptr(), sums.mutable_data_ptr<float>(), c10::cuda::getCurrentCUDAStream()));
    return {dy, sums.sum(at::IntArrayRef{0}).to(gate.scalar_type()), df};
  }
};

bool fits_kernel(const Tensor& x, const Tensor& gate, const Tensor& f) {
  for (const Tensor& t : {x, gate, f}) {
    if (!t.is_cuda() || !has_number_type(t) || t.scalar_type() != f.scalar_type() || !has_aligned_rows(t)) return false;
  }
  return fast_paths() && f.numel() > 0 && f.is_contiguous() && x.sizes() == f.sizes() && gate.size(0) == f.size(0) && f.size(2) % 8 == 0 &&
         f.size(2) <= kGatedAddWidest;
}

}  // namespace

#endif

Tensor gated_add(const Tensor& x_BNC, const Tensor& gate_B1C, const Tensor& f_BNC) {
  const RecordedOp record("ldlm::gated_add");
#ifdef LDLM_CUDA
  if (wants_gradient({x_BNC, gate_B1C, f_BNC}) && fits_kernel(x_BNC, gate_B1C, f_BNC)) return GatedAddFunction::apply(x_BNC, gate_B1C, f_BNC);
#endif
  return gated_add_reference(x_BNC, gate_B1C, f_BNC);
}

}  // namespace ldlm
