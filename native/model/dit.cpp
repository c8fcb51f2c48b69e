#include "model/dit.h"

#include <cmath>

#include "model/recompute.h"
#include "ops/adaln/adaln.h"
#include "ops/attention/attention.h"
#include "ops/gated_add/gated_add.h"
#include "ops/recorded.h"

namespace ldlm {

Tensor time_features(const Tensor& u_B) {
  const auto options = u_B.options();
  const Tensor frequency = at::exp(at::arange(kTimeFeatures / 2, options) * (-std::log(10000.0) / (kTimeFeatures / 2)));
  const Tensor angle = at::outer(1000.0 * u_B, frequency);
  return at::cat({at::cos(angle), at::sin(angle)}, -1);
}

std::vector<Tensor> split_modulation(const Tensor& modulation, int64_t width) { return modulation.unsqueeze(1).split(width, -1); }

DitBlock::DitBlock(int64_t width, int64_t heads, const at::TensorOptions& options)
    : heads(heads),
      modulation(width, 6 * width, true, options),
      query_norm(width / heads, options),
      key_norm(width / heads, options),
      qkv(width, 3 * width, true, options),
      output(width, width, true, options),
      feed_forward(width, true, options) {}

Tensor DitBlock::operator()(const Tensor& x_BNC, const std::vector<Tensor>& modulation, const RotaryTable& rotary) const {
  const Tensor projected = qkv(adaln(x_BNC, modulation[0], modulation[1], kDitNormEpsilon));  // [B, N, 3C]
  const Tensor attended = output(attention(projected, {}, {heads, query_norm.gain, key_norm.gain, rotary.cos, rotary.sin}));
  const Tensor x = gated_add(x_BNC, modulation[2], attended);
  return gated_add(x, modulation[5], feed_forward(adaln(x, modulation[3], modulation[4], kDitNormEpsilon)));
}

void DitBlock::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  modulation.visit(join_name(prefix, "modulation"), visitor);
  query_norm.visit(join_name(prefix, "query_norm"), visitor);
  key_norm.visit(join_name(prefix, "key_norm"), visitor);
  qkv.visit(join_name(prefix, "qkv"), visitor);
  output.visit(join_name(prefix, "output"), visitor);
  feed_forward.visit(join_name(prefix, "feed_forward"), visitor);
}

DiT::DiT(const ModelConfig& config, const at::TensorOptions& options)
    : positions(config.latents),
      stagger(config.stagger),
      rotary(config.latents, config.dit.width / config.dit.heads, options),
      input(2 * config.latent_width, config.dit.width, true, options),
      time_up(kTimeFeatures, config.dit.width, true, options),
      time_down(config.dit.width, config.dit.width, true, options),
      output_modulation(config.dit.width, 2 * config.dit.width, true, options),
      output(config.dit.width, config.latent_width, true, options),
      skip(config.dit.width, 2 * config.latent_width, true, options) {
  for (int64_t i = 0; i < config.dit.layers; ++i) blocks.emplace_back(config.dit.width, config.dit.heads, options);
}

// Bounds of a position's own time: at 0 and 1 noise and signal vanish, and the solver divides by both.
constexpr double kFirst = 1e-3, kLast = 1 - 1e-3;

Tensor DiT::times(const Tensor& u_B) const {
  if (stagger == 0) return u_B.view({-1, 1, 1});
  const Tensor late_N = stagger * (1 - at::arange(positions, u_B.options()) / static_cast<double>(std::max<int64_t>(1, positions - 1)));
  return ((1 + stagger) * u_B.unsqueeze(1) - late_N).clamp(kFirst, kLast).unsqueeze(-1);
}

Tensor DiT::in_flight(const Tensor& times_BM1) const {
  return stagger == 0 ? at::ones_like(times_BM1, at::kBool) : times_BM1.gt(kFirst).logical_and(times_BM1.lt(kLast));
}

DitCondition DiT::condition(const Tensor& u_B) const {
  const RecordedModule record("modulation");
  const auto features_of = [&](const Tensor& u) { return at::silu(time_down(at::silu(time_up(time_features(u).to(time_up.bias.scalar_type()))))); };
  const Tensor features = features_of(u_B);  // [B, C]
  DitCondition condition;
  for (const DitBlock& block : blocks) condition.blocks.push_back(split_modulation(block.modulation(features), features.size(1)));
  condition.output = split_modulation(output_modulation(features), features.size(1));
  if (stagger == 0) {
    condition.skip = split_modulation(skip(features), output.weight.size(0));
  } else {
    condition.place = features_of(times(u_B).flatten()).view({u_B.size(0), positions, -1});
    condition.skip = skip(condition.place).split(output.weight.size(0), -1);
  }
  return condition;
}

Tensor DiT::operator()(const Tensor& x_BND, const DitCondition& condition, const Tensor& self_condition_BND) const {
  const RecordedModule record("dit");
  Tensor x = input(at::cat({x_BND, self_condition_BND}, -1).to(input.bias.scalar_type()));  // [B, N, C]
  if (condition.place.defined()) x = x + condition.place;
  for (size_t i = 0; i < blocks.size(); ++i) {
    std::vector<Tensor> inputs = {x};
    inputs.insert(inputs.end(), condition.blocks[i].begin(), condition.blocks[i].end());
    x = run_block(blocks[i], inputs, [rotary = rotary](const DitBlock& block, const std::vector<Tensor>& in) {
      return block(in[0], {in.begin() + 1, in.end()}, rotary);
    });
  }
  const auto exact = [&](const Tensor& t) { return t.to(x_BND.scalar_type()); };  // the sampler's fp32, whatever the networks compute in
  const Tensor estimate = exact(output(adaln(x, condition.output[0], condition.output[1], kDitNormEpsilon)));  // [B, N, D]
  return at::addcmul(at::addcmul(estimate, exact(condition.skip[0]), x_BND), exact(condition.skip[1]), self_condition_BND);
}

void DiT::reset_parameters(at::Generator& generator) {
  fill_fan_in(input, generator);
  fill_fan_in(time_up, generator);
  fill_fan_in(time_down, generator);
  for (DitBlock& block : blocks) {
    block.query_norm.gain.fill_(1.0);
    block.key_norm.gain.fill_(1.0);
    fill_fan_in(block.qkv, generator);
    fill_fan_in(block.output, generator);
    fill_fan_in(block.feed_forward.up, generator);
    fill_fan_in(block.feed_forward.down, generator);
    // adaLN-zero: every block starts as the identity, and the first estimate of z0 is 0, its mean.
    block.modulation.weight.zero_();
    block.modulation.bias.zero_();
  }
  for (Linear* linear : {&output_modulation, &output, &skip}) {
    linear->weight.zero_();
    linear->bias.zero_();
  }
}

void DiT::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  input.visit(join_name(prefix, "input"), visitor);
  time_up.visit(join_name(prefix, "time_up"), visitor);
  time_down.visit(join_name(prefix, "time_down"), visitor);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "blocks." + std::to_string(i)), visitor);
  output_modulation.visit(join_name(prefix, "output_modulation"), visitor);
  output.visit(join_name(prefix, "output"), visitor);
  skip.visit(join_name(prefix, "skip"), visitor);
}

}  // namespace ldlm
