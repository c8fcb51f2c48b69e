#include "ops/attention/attention_cuda.h"

#ifdef LDLM_CUDA
#include "ops/attention/attention_cuda.cuh"
#include "ops/cuda_call.h"
#include "ops/fast_paths.h"
#include "ops/recorded.h"
#include "ops/wants_gradient.h"
#endif

namespace ldlm {

#ifdef LDLM_CUDA

namespace {

const void* data_or_null(const Tensor& t) { return t.defined() ? t.const_data_ptr() : nullptr; }
const float* floats_or_null(const Tensor& t) { return t.defined() ? t.const_data_ptr<float>() : nullptr; }
std::optional<Tensor> defined_or_none(const Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; }

AttentionHeads heads_of(const Tensor& qkv, const Tensor& context, const AttentionOptions& options) {
  const Tensor& gain = options.query_gain;
  return {qkv.size(0), qkv.size(1), context.defined() ? context.size(1) : 0, options.heads, qkv.size(2) / (3 * options.heads),
          qkv.const_data_ptr(), data_or_null(context), gain.defined() ? number_type(gain) : NumberType::kFloat,
          data_or_null(gain), data_or_null(options.key_gain), floats_or_null(options.cos), floats_or_null(options.sin)};
}

// Each [B, heads, positions, d], as the products want them; in memory [B, positions, heads, d].
struct Heads {
  Tensor q, k, v;
};

Heads split(const Tensor& qkv, const Tensor& context, const AttentionOptions& options) {
  const AttentionHeads in = heads_of(qkv, context, options);
  const auto own = [&](int64_t part) {
    return qkv.view({in.samples, in.queries, 3, in.heads, in.width}).select(2, part).transpose(1, 2);
  };
  if (!in.query_gain && !in.cos && !in.context) return {own(0), own(1), own(2)};
  const Tensor q = at::empty({in.samples, in.queries, in.heads, in.width}, qkv.options());
  const Tensor k = at::empty({in.samples, in.queries + in.others, in.heads, in.width}, qkv.options());
  const Tensor v = in.context ? at::empty_like(k) : Tensor();
  C10_CUDA_CHECK(launch_split_heads(in, q.mutable_data_ptr(), k.mutable_data_ptr(), v.defined() ? v.mutable_data_ptr() : nullptr,
                                    c10::cuda::getCurrentCUDAStream()));
  return {q.transpose(1, 2), k.transpose(1, 2), v.defined() ? v.transpose(1, 2) : own(2)};
}

// What the products' backward pass needs beside the heads; of cuDNN or of flash attention.
struct Products {
  Tensor y, log_sum, cum_q, cum_k, seed, offset;
  int64_t max_q, max_k;
};

// cuDNN is 1.5 times as fast on an H200 (docs/performance.md); it refuses sequences of one.
bool takes_cudnn(int64_t queries) {
  static const bool has = at::globalContext().hasCuDNN();
  return has && at::globalContext().userEnabledCuDNNSDP() && queries > 1;
}

Products multiply(const Heads& in, bool causal, bool gradient) {
  if (takes_cudnn(in.q.size(2))) {
    auto [y, log_sum, cum_q, cum_k, max_q, max_k, seed, offset, mask] =
        at::_scaled_dot_product_cudnn_attention(in.q, in.k, in.v, {}, gradient, 0.0, causal, false);
    return {y, log_sum, cum_q, cum_k, seed, offset, max_q.expect_int(), max_k.expect_int()};
  }
  auto [y, log_sum, cum_q, cum_k, max_q, max_k, seed, offset, mask] = at::_scaled_dot_product_flash_attention(in.q, in.k, in.v, 0.0, causal, false);
  return {y, log_sum, cum_q, cum_k, seed, offset, max_q.expect_int(), max_k.expect_int()};
}

Heads multiply_backward(const Tensor& dy, const Heads& in, const Products& saved, bool causal) {
  if (takes_cudnn(in.q.size(2))) {
    auto [dq, dk, dv] = at::_scaled_dot_product_cudnn_attention_backward(dy, in.q, in.k, in.v, saved.y, saved.log_sum, saved.seed, saved.offset, {},
                                                                         saved.cum_q, saved.cum_k, saved.max_q, saved.max_k, 0.0, causal);
    return {dq, dk, dv};
  }
  auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_backward(dy, in.q, in.k, in.v, saved.y, saved.log_sum, saved.cum_q, saved.cum_k,
                                                                       saved.max_q, saved.max_k, 0.0, causal, saved.seed, saved.offset);
  return {dq, dk, dv};
}

Tensor merged(const Tensor& y_BHNd) { return y_BHNd.transpose(1, 2).flatten(2); }  // a view, as the products lay it out

class AttentionCudaFunction : public torch::autograd::Function<AttentionCudaFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* saved, const Tensor& qkv, const std::optional<Tensor>& context,
                        const std::optional<Tensor>& query_gain, const std::optional<Tensor>& key_gain, const AttentionOptions& options) {
    const c10::cuda::CUDAGuard guard(qkv.device());
    const Heads heads = split(qkv, context.value_or(Tensor()), options);
    const Products products = multiply(heads, options.causal, true);
    saved->save_for_backward({qkv, context.value_or(Tensor()), query_gain.value_or(Tensor()), key_gain.value_or(Tensor()), options.cos, options.sin,
                              heads.q, heads.k, heads.v, products.y, products.log_sum, products.cum_q, products.cum_k, products.seed, products.offset});
    saved->saved_data["heads"] = options.heads;
    saved->saved_data["causal"] = options.causal;
    saved->saved_data["max_q"] = products.max_q;
    saved->saved_data["max_k"] = products.max_k;
    return merged(products.y);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const RecordedOp record("ldlm::attention_backward");
    const auto saved = context->get_saved_variables();
    const Tensor &qkv = saved[0], &other = saved[1];
    const AttentionOptions options = {context->saved_data["heads"].toInt(), saved[2], saved[3], saved[4], saved[5], context->saved_data["causal"].toBool()};
    const Products products = {saved[9], saved[10], saved[11], saved[12], saved[13], saved[14],
                               context->saved_data["max_q"].toInt(), context->saved_data["max_k"].toInt()};
    const c10::cuda::CUDAGuard guard(qkv.device());
    const AttentionHeads in = heads_of(qkv, other, options);
    const Tensor dy = gradients[0].contiguous().view({in.samples, in.queries, in.heads, in.width}).transpose(1, 2);
    const Heads d = multiply_backward(dy, {saved[6], saved[7], saved[8]}, products, options.causal);
    const auto dense = [](const Tensor& t) { return t.transpose(1, 2).contiguous(); };
    const Tensor dq = dense(d.q), dk = dense(d.k), dv = dense(d.v), dqkv = at::empty_like(qkv), dother = other.defined() ? at::empty_like(other) : Tensor();
    const Tensor dgains = in.query_gain ? at::empty({merge_heads_parts(in), 2, in.width}, qkv.options().dtype(at::kFloat)) : Tensor();
    C10_CUDA_CHECK(launch_merge_heads(in, dq.const_data_ptr(), dk.const_data_ptr(), dv.const_data_ptr(), dqkv.mutable_data_ptr(),
                                      other.defined() ? dother.mutable_data_ptr() : nullptr, dgains.defined() ? dgains.mutable_data_ptr<float>() : nullptr,
                                      c10::cuda::getCurrentCUDAStream()));
    if (!dgains.defined()) return {dqkv, dother, Tensor(), Tensor(), Tensor()};
    const Tensor total = dgains.sum(at::IntArrayRef{0}).to(options.query_gain.scalar_type());
    return {dqkv, dother, total[0], total[1], Tensor()};
  }
};

bool fits_kernel(const Tensor& t, at::ScalarType dtype) { return !t.defined() || (t.is_cuda() && t.scalar_type() == dtype && t.is_contiguous() && has_aligned_rows(t)); }

bool fits(const Tensor& qkv, const Tensor& context, const AttentionOptions& options) {
  const int64_t width = qkv.size(2) / (3 * options.heads);
  const bool tables = fits_kernel(options.cos, at::kFloat) && fits_kernel(options.sin, at::kFloat);
  const bool gains = [&](const Tensor& q, const Tensor& k) {
    return !q.defined() || (q.is_cuda() && has_number_type(q) && fits_kernel(q, q.scalar_type()) && fits_kernel(k, q.scalar_type()));
  }(options.query_gain, options.key_gain);
  return fast_paths() && qkv.is_cuda() && qkv.numel() > 0 && (width == 16 || width == 32 || width == 64 || width == 128) &&
         fits_kernel(qkv, at::kBFloat16) && fits_kernel(context, at::kBFloat16) && tables && gains;
}

}  // namespace

std::optional<Tensor> attention_cuda(const Tensor& qkv, const Tensor& context, const AttentionOptions& options) {
  if (!fits(qkv, context, options)) return std::nullopt;
  const RecordedOp record("ldlm::attention");
  if (wants_gradient({qkv, context, options.query_gain, options.key_gain})) {
    return AttentionCudaFunction::apply(qkv, defined_or_none(context), defined_or_none(options.query_gain), defined_or_none(options.key_gain), options);
  }
  const c10::cuda::CUDAGuard guard(qkv.device());
  return merged(multiply(split(qkv, context, options), options.causal, false).y);
}

#else

std::optional<Tensor> attention_cuda(const Tensor&, const Tensor&, const AttentionOptions&) { return std::nullopt; }

#endif

}  // namespace ldlm
