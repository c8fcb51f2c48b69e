#include "baselines/masked_diffusion.h"

#include <numeric>

namespace ldlm {

MaskedTokens mask_tokens(const Tensor& ids_BL, int64_t mask_id, int64_t first_row, int64_t batch, uint64_t seed, int64_t step) {
  const int64_t rows = ids_BL.size(0), length = ids_BL.size(1);
  MaskedTokens masked{ids_BL.to(at::kLong).clone(), {}, {}, {}};
  int64_t* const ids = masked.ids_BL.mutable_data_ptr<int64_t>();
  const double offset = uniform_pair({seed, BaselinePurpose::kNoiseTime, step, 0}, 0).first;
  std::vector<int64_t> positions, targets;
  std::vector<float> weights;
  for (int64_t row = 0; row < rows; ++row) {
    const double stratum = (static_cast<double>(first_row + row) + offset) / static_cast<double>(batch);
    const double t = kLeastTime + (1 - kLeastTime) * stratum;
    for (int64_t i = 0; i < length; ++i) {
      if (uniform_pair({seed, BaselinePurpose::kMask, step, first_row + row}, i).first >= t) continue;
      const int64_t position = row * length + i;
      positions.push_back(position);
      targets.push_back(ids[position]);
      weights.push_back(static_cast<float>(1 / t));
      ids[position] = mask_id;
    }
  }
  masked.positions_K = at::tensor(positions, at::kLong);
  masked.targets_K = at::tensor(targets, at::kLong);
  masked.weights_K = at::tensor(weights, at::kFloat);
  return masked;
}

Tensor masked_bound_sum(const Tensor& logits_KV, const MaskedTokens& masked) {
  const Tensor nll_K = at::cross_entropy_loss(logits_KV.to(at::kFloat), masked.targets_K, {}, at::Reduction::None);
  return (nll_K * masked.weights_K).sum();
}

TokenSample sample_masked(const TokenDenoiser& denoise, const TokenSampling& sampling, const TokenObserver& observe) {
  const auto [length, mask_id, steps, seed, index, stride] = sampling;  // the mask is the id behind the vocabulary
  TokenSample sample{at::full({length}, mask_id, at::kLong), {}};
  int64_t* const ids = sample.ids_L.mutable_data_ptr<int64_t>();
  std::vector<int64_t> step_of(static_cast<size_t>(length)), order(static_cast<size_t>(length));
  std::vector<double> token_of(static_cast<size_t>(length));
  for (int64_t i = 0; i < length; ++i) {
    const UniformPair pair = uniform_pair({seed, BaselinePurpose::kTransition, 0, index}, i);
    step_of[static_cast<size_t>(i)] = static_cast<int64_t>(pair.first * static_cast<double>(steps));
    token_of[static_cast<size_t>(i)] = pair.second;
  }
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return step_of[static_cast<size_t>(a)] < step_of[static_cast<size_t>(b)]; });

  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    const int64_t step = step_of[static_cast<size_t>(order[begin])];
    for (end = begin; end < order.size() && step_of[static_cast<size_t>(order[end])] == step; ++end) {
    }
    const std::vector<int64_t> leaving(order.begin() + static_cast<int64_t>(begin), order.begin() + static_cast<int64_t>(end));
    check_stop(observe);
    if (!sample.evaluations.next(stride)) {
      for (const int64_t i : leaving) ids[i] = static_cast<int64_t>(token_of[static_cast<size_t>(i)] * static_cast<double>(mask_id));
      continue;
    }
    const PositionLogits logits = denoise(sample.ids_L, 1 - static_cast<double>(step) / static_cast<double>(steps));
    for_each_softmax(logits, leaving, [&](size_t k, const SoftmaxRow& softmax) {
      const int64_t i = leaving[k];
      ids[i] = softmax.draw(token_of[static_cast<size_t>(i)]);
    });
  }
  return sample;
}

TokenSample sample_masked_stepwise(const TokenDenoiser& denoise, const TokenSampling& sampling, const TokenObserver& observe) {
  const auto [length, mask_id, steps, seed, index, stride] = sampling;
  TokenSample sample{at::full({length}, mask_id, at::kLong), {}};
  int64_t* const ids = sample.ids_L.mutable_data_ptr<int64_t>();
  std::vector<int64_t> everywhere(static_cast<size_t>(length));
  std::iota(everywhere.begin(), everywhere.end(), 0);
  for (int64_t step = 0; step < steps; ++step) {
    const double leave = 1 / static_cast<double>(steps - step);
    const CounterStream stream = {seed, BaselinePurpose::kTransition, step, index};
    const auto settle = [&](int64_t i, const UniformPair& pair, int64_t token) {
      if (ids[i] == mask_id && pair.first < leave) ids[i] = token;
    };
    check_stop(observe);
    if (!sample.evaluations.next(stride)) {
      for (const int64_t i : everywhere) {
        const UniformPair pair = uniform_pair(stream, i);
        settle(i, pair, static_cast<int64_t>(pair.second * static_cast<double>(mask_id)));
      }
      continue;
    }
    const PositionLogits logits = denoise(sample.ids_L.clone(), 1 - static_cast<double>(step) / static_cast<double>(steps));
    for_each_softmax(logits, everywhere, [&](size_t k, const SoftmaxRow& softmax) {
      const UniformPair pair = uniform_pair(stream, static_cast<int64_t>(k));
      settle(static_cast<int64_t>(k), pair, softmax.draw(pair.second));
    });
  }
  return sample;
}

}  // namespace ldlm
