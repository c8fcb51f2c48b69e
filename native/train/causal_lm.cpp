#include "train/causal_lm.h"

#include <cmath>

#include "model/layers.h"

namespace ldlm {
namespace {

constexpr int64_t kIgnored = -100;

Tensor cross_entropy_sum(const Tensor& logits_BLV, const Tensor& targets_BL) {
  return at::cross_entropy_loss(logits_BLV.flatten(0, 1), targets_BL.flatten(), {}, at::Reduction::Sum, kIgnored);
}

}  // namespace

PretrainedEncoderConfig encoder_config(const LmConfig& config) {
  return {.family = "gpt2",
          .layers = config.layers,
          .hidden_width = config.width,
          .heads = config.heads,
          .vocabulary = config.vocabulary,
          .positions = config.positions,
          .feed_forward_width = 4 * config.width,
          .token_types = 0,
          .norm_epsilon = 1e-5,
          .activation = "gelu_new"};
}

CausalLm::CausalLm(const LmConfig& config, int64_t identity_layer, const at::TensorOptions& options)
    : network(encoder_config(config), options),
      identity_layer(resolve_layer("causal lm", identity_layer, config.layers)),
      identity_log_temperature(at::empty({}, options)) {}

void CausalLm::reset_parameters(at::Generator& generator) {
  at::NoGradGuard no_grad;
  network.reset_parameters(generator);
  // <layer_norm(h), embedding> starts near 0.02 * width at best: bring it to the order of 10, where a softmax can be sure.
  identity_log_temperature.fill_(std::log(10.0 / (0.02 * static_cast<double>(network.tokens.size(1)))));
}

LmLosses CausalLm::losses(const Tensor& ids_BL, const Tensor& lengths_B) const {
  // Behind the longest row there is only padding.
  const int64_t batch = ids_BL.size(0), length = std::max<int64_t>(1, lengths_B.max().item<int64_t>());
  const Tensor ids = ids_BL.narrow(1, 0, length);
  const Tensor real = at::arange(length, lengths_B.options()).unsqueeze(0) < lengths_B.unsqueeze(1);  // [B, length]
  const Tensor current = ids.masked_fill(real.logical_not(), kIgnored);
  const Tensor next = at::cat({current.narrow(1, 1, length - 1), at::full({batch, 1}, kIgnored, current.options())}, 1);

  const Tensor h_BLC = network.advance(network.embed(ids), 0, identity_layer);
  const Tensor direction = at::layer_norm(h_BLC, {h_BLC.size(2)}) * identity_log_temperature.exp();
  const Tensor named_BLV = ldlm::linear(direction, network.tokens, {});
  const Tensor logits_BLV = ldlm::linear(network.advance(h_BLC, identity_layer, network.layers()), network.tokens, {});
  return {.next_token = cross_entropy_sum(logits_BLV, next),
          .identity = cross_entropy_sum(named_BLV, current),
          .identity_correct = (named_BLV.detach().argmax(2) == current).sum()};
}

void CausalLm::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  network.visit(prefix, visitor);
  visitor(join_name(prefix, "identity_log_temperature"), identity_log_temperature);
}

}  // namespace ldlm
