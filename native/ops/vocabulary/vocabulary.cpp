#include "ops/vocabulary/vocabulary.h"

#include "ops/fast_paths.h"
#include "ops/linear/linear.h"
#include "ops/recorded.h"
#include "ops/wants_gradient.h"
#ifdef LDLM_CUDA
#include "ops/cuda_call.h"
#include "ops/vocabulary/vocabulary.cuh"
#endif

namespace ldlm {

namespace {

constexpr int64_t kChunkLogits = 1 << 24;      // 64 MB in fp32: they stay in a CPU's cache or near it
constexpr int64_t kGpuChunkLogits = 1 << 29;   // 1 GB in bf16: products large enough for a GPU, and few sums of the head's gradient
constexpr int64_t kTile = 128;                 // a GPU's products are in whole tiles

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

int64_t chunk_rows(const Tensor& x_RH, int64_t vocabulary) {
  if (x_RH.is_cpu()) return std::max<int64_t>(16, kChunkLogits / vocabulary);
  const int64_t most = std::max(kTile, kGpuChunkLogits / vocabulary / kTile * kTile), chunks = round_up(x_RH.size(0), most) / most;
  return round_up(x_RH.size(0), chunks * kTile) / chunks;  // all alike
}

// Calls `work(first, count)` for one chunk of rows after another.
void for_each_chunk(const Tensor& x_RH, int64_t vocabulary, const std::function<void(int64_t, int64_t)>& work) {
  const int64_t rows = x_RH.size(0), chunk = rows > 0 ? chunk_rows(x_RH, vocabulary) : 1;
  for (int64_t first = 0; first < rows; first += chunk) work(first, std::min(chunk, rows - first));
}

struct LossAndGradient {
  Tensor loss, dx, dhead;
};

// dloss / dlogits = softmax(logits) - one_hot(target), and 0 for rows that do not count.
LossAndGradient run(const Tensor& x, const Tensor& head, const Tensor& targets, bool gradient) {
  LossAndGradient result = {at::zeros({}, x.options().dtype(at::kFloat)), gradient ? at::empty_like(x) : Tensor(), Tensor()};
  for_each_chunk(x, head.size(0), [&](int64_t first, int64_t count) {
    const Tensor rows = x.narrow(0, first, count), target = targets.narrow(0, first, count).unsqueeze(1);
    const Tensor counts = target.ge(0), index = target.clamp_min(0);
    const Tensor logits = ldlm::linear(rows, head, {});  // [count, V]
    const Tensor log_p = at::log_softmax(logits, -1, at::kFloat);
    result.loss.sub_(log_p.gather(1, index).mul_(counts).sum());
    if (!gradient) return;
    Tensor dlogits = at::exp(log_p);
    dlogits.scatter_add_(1, index, at::full_like(index, -1, dlogits.options()));
    dlogits = dlogits.mul_(counts).to(logits.scalar_type());
    result.dx.narrow(0, first, count).copy_(ldlm::linear(dlogits, head.t(), {}));
    const Tensor dhead = weight_gradient(dlogits, rows);
    result.dhead = result.dhead.defined() ? result.dhead.add_(dhead) : dhead.to(head.scalar_type());
  });
  if (gradient && !result.dhead.defined()) result.dhead = at::zeros_like(head);
  return result;
}

#ifdef LDLM_CUDA

bool fits_kernel(const Tensor& x, const Tensor& head) {
  const bool bf16 = autocast_to_bf16() || (x.scalar_type() == at::kBFloat16 && head.scalar_type() == at::kBFloat16);
  return x.is_cuda() && bf16 && x.numel() > 0 && x.size(1) % 8 == 0;
}

// The head in bf16 with rows of zeros up to a whole number of tiles: the products, all three of them, are twice as fast for it where the
// vocabulary is odd, as GPT-2's is (docs/performance.md).
Tensor padded_head(const Tensor& head_VH) {
  const int64_t vocabulary = head_VH.size(0), padded = round_up(vocabulary, kTile);
  if (padded == vocabulary) return head_VH.to(at::kBFloat16);
  Tensor head = at::empty({padded, head_VH.size(1)}, head_VH.options().dtype(at::kBFloat16));
  head.narrow(0, 0, vocabulary).copy_(head_VH);
  head.narrow(0, vocabulary, padded - vocabulary).zero_();
  return head;
}

// In bf16, the logits of a chunk turned into their gradient where they lie.
LossAndGradient run_cuda(const Tensor& x, const Tensor& head, const Tensor& targets, bool gradient) {
  const c10::cuda::CUDAGuard guard(x.device());
  const Tensor x16 = x.to(at::kBFloat16), head16 = padded_head(head), loss_R = at::empty({x.size(0)}, x.options().dtype(at::kFloat));
  const int64_t vocabulary = head.size(0);
  LossAndGradient result = {{}, gradient ? at::empty_like(x) : Tensor(), {}};
  for_each_chunk(x, vocabulary, [&](int64_t first, int64_t count) {
    const Tensor rows = x16.narrow(0, first, count), logits = at::mm(rows, head16.t());
    C10_CUDA_CHECK(launch_cross_entropy(logits.mutable_data_ptr(), targets.narrow(0, first, count).const_data_ptr<int64_t>(),
                                        loss_R.mutable_data_ptr<float>() + first, count, vocabulary, logits.size(1), gradient,
                                        c10::cuda::getCurrentCUDAStream()));
    if (!gradient) return;
    result.dx.narrow(0, first, count).copy_(at::mm(logits, head16));
    const Tensor dhead = at::mm(logits.t(), rows, at::kFloat);
    result.dhead = result.dhead.defined() ? result.dhead.add_(dhead) : dhead;
  });
  result.loss = loss_R.sum();
  if (gradient) result.dhead = result.dhead.narrow(0, 0, vocabulary).to(head.scalar_type());
  return result;
}

#endif

LossAndGradient loss_and_gradient(const Tensor& x, const Tensor& head, const Tensor& targets, bool gradient) {
#ifdef LDLM_CUDA
  if (fits_kernel(x, head)) return run_cuda(x, head, targets.contiguous(), gradient);
#endif
  return run(x, head, targets, gradient);
}

// fp32 from bf16 operands on a GPU: in bf16 the two best logits are often equal.
Tensor logits_of(const Tensor& x, const Tensor& head) {
  if (x.is_cuda() && x.scalar_type() == at::kBFloat16 && head.scalar_type() == at::kBFloat16) return at::mm(x, head.t(), at::kFloat);
  return ldlm::linear(x, head, {});
}

class CrossEntropyFunction : public torch::autograd::Function<CrossEntropyFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& head, const Tensor& targets) {
    const LossAndGradient result = loss_and_gradient(x, head, targets, true);
    context->save_for_backward({result.dx, result.dhead});
    return result.loss;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    return {saved[0] * gradients[0], saved[1] * gradients[0], Tensor()};
  }
};

}  // namespace

Tensor vocabulary_cross_entropy(const Tensor& x_RH, const Tensor& head_VH, const Tensor& targets_R) {
  const RecordedModule record("token_head");
  TORCH_CHECK_VALUE(x_RH.dim() == 2 && head_VH.dim() == 2 && x_RH.size(1) == head_VH.size(1), "vocabulary_cross_entropy: x must be [R, H] and head [V, H], got ",
                    x_RH.sizes(), " and ", head_VH.sizes());
  TORCH_CHECK_VALUE(targets_R.dim() == 1 && targets_R.size(0) == x_RH.size(0) && targets_R.scalar_type() == at::kLong,
                    "vocabulary_cross_entropy: targets must be int64 [R] = [", x_RH.size(0), "], got ", targets_R.sizes());
  if (!fast_paths()) return vocabulary_cross_entropy_reference(x_RH, head_VH, targets_R);
  if (!wants_gradient({x_RH, head_VH})) return loss_and_gradient(x_RH, head_VH, targets_R, false).loss;
  return CrossEntropyFunction::apply(x_RH, head_VH, targets_R);
}

Tensor vocabulary_argmax(const Tensor& x_RH, const Tensor& head_VH) {
  const RecordedModule record("token_head");
  const Tensor best = at::empty({x_RH.size(0)}, x_RH.options().dtype(at::kLong));
  for_each_chunk(x_RH, head_VH.size(0), [&](int64_t first, int64_t count) {
    best.narrow(0, first, count).copy_(logits_of(x_RH.narrow(0, first, count), head_VH).argmax(-1));
  });
  return best;
}

}  // namespace ldlm
