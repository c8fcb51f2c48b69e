#include "baselines/autoregressive.h"

#include <algorithm>

#include "model/layers.h"
#include "ops/vocabulary/vocabulary.h"
#include "train/causal_lm.h"

namespace ldlm {

namespace {

constexpr int64_t kLogitsAThread = 1 << 14;  // fewer are not worth waking another thread

}  // namespace

Autoregressive::Autoregressive(const AutoregressiveConfig& config, const at::TensorOptions& options)
    : config(config), network(encoder_config({config.layers, config.width, config.heads, config.vocabulary, config.length}), options) {}

Tensor Autoregressive::hidden(const Tensor& ids_BL) const {
  const Tensor begin = at::full({ids_BL.size(0), 1}, config.end_id, ids_BL.options());
  const Tensor before_BL = at::cat({begin, ids_BL.narrow(1, 0, ids_BL.size(1) - 1)}, 1);
  return network.advance(network.embed(before_BL), 0, network.layers());
}

Tensor Autoregressive::logits(const Tensor& ids_BL) const { return ldlm::linear(hidden(ids_BL), network.tokens, {}); }

Tensor Autoregressive::nll_sum(const Tensor& ids_BL, const Tensor& lengths_B) const {
  constexpr int64_t kIgnored = -100;
  const int64_t longest = lengths_B.max().item<int64_t>();  // behind it there is only padding
  const Tensor ids = ids_BL.narrow(1, 0, longest);
  const Tensor padding = at::arange(longest, lengths_B.options()).unsqueeze(0) >= lengths_B.unsqueeze(1);  // [B, longest]
  return vocabulary_cross_entropy(hidden(ids).flatten(0, 1), network.tokens, ids.masked_fill(padding, kIgnored).flatten());
}

// "blocks.", not GPT-2's "h.": by that the optimiser knows the matrices that take Muon.
void Autoregressive::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "tokens.weight"), network.tokens);
  visitor(join_name(prefix, "positions.weight"), network.positions);
  for (size_t i = 0; i < network.blocks.size(); ++i) network.blocks[i].visit(join_name(prefix, "blocks." + std::to_string(i)), visitor);
  network.final_norm.visit(join_name(prefix, "final_norm"), visitor);
}

StepWeights::StepWeights(const Autoregressive& model) {
  const auto turned = [](const Conv1d& matrix) { return matrix.weight.t().contiguous(); };
  for (const Gpt2Block& block : model.network.blocks) blocks.push_back({turned(block.qkv), turned(block.attention_out), turned(block.up), turned(block.down)});
}

CachedSteps::CachedSteps(const Autoregressive& model, const StepWeights& weights, int64_t rows) : model_(model), weights_(weights) {
  const auto& config = model.config;
  for (int64_t i = 0; i < config.layers; ++i) {
    for (auto* cache : {&keys_, &values_}) cache->push_back(at::zeros({rows, config.heads, config.length, config.width / config.heads}));
  }
}

Tensor CachedSteps::next(const Tensor& ids_B) {
  const auto& network = model_.network;
  Tensor x = at::embedding(network.tokens, ids_B) + network.positions[position_];  // [B, C]
  const int64_t rows = x.size(0), width = x.size(1), heads = model_.config.heads, seen = position_ + 1;
  for (size_t i = 0; i < network.blocks.size(); ++i) {
    const Gpt2Block& block = network.blocks[i];
    const StepWeights::Block& weights = weights_.blocks[i];
    const Tensor qkv = ldlm::linear(block.attention_norm(x), weights.qkv, block.qkv.bias).view({rows, 3, heads, 1, width / heads});
    keys_[i].narrow(2, position_, 1).copy_(qkv.select(1, 1));
    values_[i].narrow(2, position_, 1).copy_(qkv.select(1, 2));
    const Tensor mixed = at::scaled_dot_product_attention(qkv.select(1, 0), keys_[i].narrow(2, 0, seen), values_[i].narrow(2, 0, seen));
    x = x + ldlm::linear(mixed.reshape({rows, width}), weights.attention_out, block.attention_out.bias);
    const Tensor up = activate(ldlm::linear(block.feed_forward_norm(x), weights.up, block.up.bias), block.activation);
    x = x + ldlm::linear(up, weights.down, block.down.bias);
  }
  ++position_;
  return ldlm::linear(network.final_norm(x), network.tokens, {});
}

NextTokenSamples sample_next_tokens(const Autoregressive& model, const StepWeights& weights, const NextTokenSampling& sampling, const TokenObserver& observe) {
  const auto& config = model.config;
  CachedSteps steps(model, weights, sampling.count);
  NextTokenSamples samples{at::full({sampling.count, config.length}, config.end_id, at::kLong), {}};
  Tensor last_B = at::full({sampling.count}, config.end_id, at::kLong);
  int64_t* const last = last_B.mutable_data_ptr<int64_t>();
  std::vector<char> done(static_cast<size_t>(sampling.count), 0);
  for (int64_t position = 0; position < config.length; ++position) {
    check_stop(observe);
    const bool make = samples.evaluations.next(sampling.stride);
    if (!make) steps.skip();
    const Tensor logits_BV = make ? steps.next(last_B).contiguous() : Tensor();
    at::parallel_for(0, sampling.count, std::max<int64_t>(1, kLogitsAThread / config.vocabulary), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        if (done[static_cast<size_t>(row)]) continue;
        const double uniform = uniform_pair({sampling.seed, BaselinePurpose::kNextToken, position, sampling.first_index + row}, 0).first;
        if (make) last[row] = SoftmaxRow(logits_BV.const_data_ptr<float>() + row * config.vocabulary, config.vocabulary).draw(uniform);
        if (sampling.stop_at_end && last[row] == config.end_id) done[static_cast<size_t>(row)] = 1;
      }
    });
    samples.ids_BL.select(1, position).copy_(last_B);
    if (std::all_of(done.begin(), done.end(), [](char is) { return is != 0; })) break;
  }
  return samples;
}

}  // namespace ldlm
