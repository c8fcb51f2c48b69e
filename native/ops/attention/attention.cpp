#include "ops/attention/attention.h"

#include "ops/attention/attention_cpu.h"
#include "ops/attention/attention_cuda.h"
#include "ops/fast_paths.h"
#include "ops/recorded.h"
#include "ops/wants_gradient.h"

namespace ldlm {

namespace {

constexpr int64_t kGrain = 1 << 14;    // enough multiplications for a thread to be worth waking
constexpr int64_t kLongest = 1 << 13;  // keys; the scores of a block of queries must fit the cache

const float* data_or_null(const Tensor& t) { return t.defined() ? t.const_data_ptr<float>() : nullptr; }
std::optional<Tensor> defined_or_none(const Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; }

// Calls `run(head, sample, index)` for every head of every sample, in parallel. The head's pointers stay valid as long as the tensors.
void for_each_head(const Tensor& qkv, const Tensor& context, const AttentionOptions& options,
                   const std::function<void(const AttentionHead&, int64_t sample, int64_t index)>& run) {
  const int64_t batch = qkv.size(0), queries = qkv.size(1), width = qkv.size(2) / (3 * options.heads);
  const int64_t others = context.defined() ? context.size(1) : 0;
  const AttentionHead any = {queries, others, options.heads, width, 0, options.causal, nullptr, nullptr,
                             data_or_null(options.query_gain), data_or_null(options.key_gain), data_or_null(options.cos), data_or_null(options.sin)};
  const float *own = qkv.const_data_ptr<float>(), *other = data_or_null(context);
  const int64_t grain = std::max<int64_t>(1, kGrain / (queries * (queries + others) * width));
  at::parallel_for(0, batch * options.heads, grain, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      AttentionHead head = any;
      const int64_t sample = index / options.heads;
      head.head = index % options.heads;
      head.qkv = own + sample * qkv.stride(0);
      if (other) head.context = other + sample * context.stride(0);
      run(head, sample, index);
    }
  });
}

// A thread's scratch, kept between calls: at most 16 MB, at kLongest.
float* scratch_of(int64_t count) {
  thread_local std::vector<float> scratch;
  if (static_cast<int64_t>(scratch.size()) < count) scratch.resize(static_cast<size_t>(count));
  return scratch.data();
}

// Of `products` products of all queries with all keys, those that a causal mask leaves out too.
double flops_of(const Tensor& qkv, const Tensor& context, double products) {
  const int64_t keys = qkv.size(1) + (context.defined() ? context.size(1) : 0);
  return products * 2 * static_cast<double>(qkv.numel() / 3 * keys);
}

struct Forward {
  Tensor y, log_sum;
};

Forward run_forward(const Tensor& qkv, const Tensor& context, const AttentionOptions& options) {
  const RecordedOp record("ldlm::attention", flops_of(qkv, context, 2));
  const int64_t batch = qkv.size(0), queries = qkv.size(1), channels = qkv.size(2) / 3;
  const Forward result = {at::empty({batch, queries, channels}, qkv.options()), at::empty({batch, options.heads, queries}, qkv.options())};
  float *const y = result.y.mutable_data_ptr<float>(), *const log_sum = result.log_sum.mutable_data_ptr<float>();
  for_each_head(qkv, context, options, [&](const AttentionHead& head, int64_t sample, int64_t index) {
    attention_forward_head(head, y + sample * queries * channels, log_sum + index * queries, scratch_of(attention_forward_scratch(head)));
  });
  return result;
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* saved, const Tensor& qkv, const std::optional<Tensor>& context,
                        const std::optional<Tensor>& query_gain, const std::optional<Tensor>& key_gain, const AttentionOptions& options) {
    const Forward result = run_forward(qkv, context.value_or(Tensor()), options);
    saved->save_for_backward({qkv, context.value_or(Tensor()), query_gain.value_or(Tensor()), key_gain.value_or(Tensor()), options.cos, options.sin,
                              result.y, result.log_sum});
    saved->saved_data["heads"] = options.heads;
    saved->saved_data["causal"] = options.causal;
    return result.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* saved_context, torch::autograd::variable_list gradients) {
    const auto saved = saved_context->get_saved_variables();
    const Tensor &qkv = saved[0], &context = saved[1], &y = saved[6], &log_sum = saved[7];
    const AttentionOptions options = {saved_context->saved_data["heads"].toInt(), saved[2], saved[3], saved[4], saved[5],
                                      saved_context->saved_data["causal"].toBool()};
    const RecordedOp record("ldlm::attention_backward", flops_of(qkv, context, 5));  // the scores anew, and four gradients
    const Tensor dy = gradients[0].contiguous();
    const int64_t queries = y.size(1), channels = y.size(2), width = channels / options.heads;
    const Tensor dqkv = at::empty_like(qkv), dcontext = context.defined() ? at::empty_like(context) : Tensor();
    // The gains' gradients of every head by itself, then summed: the order of the sum does not depend on the threads.
    const bool normed = options.query_gain.defined();
    const Tensor dgains = normed ? at::zeros({2, qkv.size(0) * options.heads, width}, qkv.options()) : Tensor();
    const float *const out = y.const_data_ptr<float>(), *const sums = log_sum.const_data_ptr<float>(), *const dout = dy.const_data_ptr<float>();
    float *const to_own = dqkv.mutable_data_ptr<float>(), *const to_other = context.defined() ? dcontext.mutable_data_ptr<float>() : nullptr;
    float* const to_gains = normed ? dgains.mutable_data_ptr<float>() : nullptr;
    for_each_head(qkv, context, options, [&](const AttentionHead& head, int64_t sample, int64_t index) {
      const AttentionHeadGradient gradient = {to_own + sample * dqkv.stride(0), to_other ? to_other + sample * dcontext.stride(0) : nullptr,
                                              normed ? to_gains + index * width : nullptr,
                                              normed ? to_gains + dgains.stride(0) + index * width : nullptr};
      attention_backward_head(head, out + sample * queries * channels, sums + index * queries, dout + sample * queries * channels, gradient,
                              scratch_of(attention_backward_scratch(head)));
    });
    return {dqkv, dcontext, normed ? dgains[0].sum(0) : Tensor(), normed ? dgains[1].sum(0) : Tensor(), Tensor()};
  }
};

bool fits_kernel(const Tensor& t) { return !t.defined() || (t.device().is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous()); }

void check(const Tensor& qkv, const Tensor& context, const AttentionOptions& options) {
  TORCH_CHECK_VALUE(qkv.dim() == 3 && qkv.size(2) % (3 * options.heads) == 0, "attention: qkv must be [B, N, 3 heads d] with ", options.heads,
                    " heads, got ", qkv.sizes());
  const int64_t channels = qkv.size(2) / 3, width = channels / options.heads;
  TORCH_CHECK_VALUE(!context.defined() || (context.dim() == 3 && context.size(0) == qkv.size(0) && context.size(2) == 2 * channels),
                    "attention: context must be [B, M, 2 C] = [", qkv.size(0), ", M, ", 2 * channels, "], got ", context.sizes());
  TORCH_CHECK_VALUE(!context.defined() || (!options.causal && !options.cos.defined()), "attention: a context goes with neither causal nor rotary");
  TORCH_CHECK_VALUE(options.query_gain.defined() == options.key_gain.defined(), "attention: both gains must be given, or none");
  for (const Tensor& gain : {options.query_gain, options.key_gain}) {
    TORCH_CHECK_VALUE(!gain.defined() || (gain.dim() == 1 && gain.size(0) == width), "attention: a gain must be [d] = [", width, "], got ", gain.sizes());
  }
  for (const Tensor& table : {options.cos, options.sin}) {
    TORCH_CHECK_VALUE(!table.defined() || (table.dim() == 2 && table.size(0) >= qkv.size(1) && 2 * table.size(1) == width),
                      "attention: cos and sin must be [at least N, d/2] = [", qkv.size(1), ", ", width / 2, "], got ", table.sizes());
  }
}

}  // namespace

Tensor attention(const Tensor& qkv, const Tensor& context, const AttentionOptions& options) {
  check(qkv, context, options);
  if (const auto y = attention_cuda(qkv, context, options)) return *y;
  bool kernel = fast_paths() && qkv.numel() > 0 && qkv.size(1) + (context.defined() ? context.size(1) : 0) <= kLongest;
  for (const Tensor& t : {qkv, context, options.query_gain, options.key_gain, options.cos, options.sin}) kernel = kernel && fits_kernel(t);
  if (!kernel) return attention_reference(qkv, context, options);
  if (!wants_gradient({qkv, context, options.query_gain, options.key_gain})) return run_forward(qkv, context, options).y;
  return AttentionFunction::apply(qkv, defined_or_none(context), defined_or_none(options.query_gain), defined_or_none(options.key_gain), options);
}

}  // namespace ldlm
