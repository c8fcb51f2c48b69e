#include "baselines/token_sampler.h"

#include "generate/generate.h"

namespace ldlm {

namespace {
constexpr int64_t kRowsAtOnce = 64;
constexpr int64_t kLogitsAThread = 1 << 14;  // fewer are not worth waking another thread
}

void for_each_softmax(const PositionLogits& logits, const std::vector<int64_t>& positions,
                      const std::function<void(size_t k, const SoftmaxRow& softmax)>& use) {
  const auto count = static_cast<int64_t>(positions.size());
  const Tensor all = at::tensor(positions, at::kLong);
  for (int64_t first = 0; first < count; first += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, count - first);
    const Tensor logits_KV = logits(all.narrow(0, first, rows)).contiguous();
    const float* const data = logits_KV.const_data_ptr<float>();
    const int64_t vocabulary = logits_KV.size(1);
    at::parallel_for(0, rows, std::max<int64_t>(1, kLogitsAThread / vocabulary), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) use(static_cast<size_t>(first + row), SoftmaxRow(data + row * vocabulary, vocabulary));
    });
  }
}

void check_stop(const TokenObserver& observe) {
  if (!observe()) throw SamplingAborted();
}

}  // namespace ldlm
