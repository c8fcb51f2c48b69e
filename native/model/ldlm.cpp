#include "model/ldlm.h"

#include "ops/vocabulary/vocabulary.h"

namespace ldlm {

Tensor FeatureStatistics::normalize(const Tensor& h_BLH, const Tensor& lengths_B) const {
  const Tensor real_BL = at::arange(h_BLH.size(1), lengths_B.options()).unsqueeze(0).lt(lengths_B.unsqueeze(1));
  const Tensor normed = ((h_BLH - mean_H) / deviation_H).clamp_(-10.0, 10.0);
  return at::where(real_BL.unsqueeze(-1), normed, at::zeros({}, normed.options()));
}

LDLM::LDLM(const ModelConfig& config, const at::TensorOptions& options)
    : config(config),
      latent_encoder(config, options),
      latent_decoder(config, options),
      token_decoder(config, options),
      dit(config, options) {}

Tensor LDLM::decode(const Tensor& z_BND) const {
  const Tensor features_BLH = token_decoder.features(latent_decoder(z_BND));
  return vocabulary_argmax(features_BLH.flatten(0, 1), token_decoder.head.weight).view({features_BLH.size(0), features_BLH.size(1)});
}

void LDLM::reset_parameters(uint64_t seed) {
  at::NoGradGuard no_grad;
  auto generator = at::detail::createCPUGenerator(seed);
  latent_encoder.reset_parameters(generator);
  latent_decoder.reset_parameters(generator);
  token_decoder.reset_parameters(generator);
  dit.reset_parameters(generator);
}

void LDLM::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  latent_encoder.visit(join_name(prefix, "latent_encoder"), visitor);
  latent_decoder.visit(join_name(prefix, "latent_decoder"), visitor);
  token_decoder.visit(join_name(prefix, "token_decoder"), visitor);
  dit.visit(join_name(prefix, "dit"), visitor);
}

LDLM clone_model(LDLM& model) {
  LDLM copy = model;  // shares the tensors until the next line
  copy.visit("", [](const std::string&, Tensor& parameter) { parameter = parameter.detach().clone(); });
  return copy;
}

void round_to_bf16(LDLM& model) {
  model.visit("", [](const std::string& name, Tensor& parameter) {
    const bool product = parameter.dim() == 2 && name.ends_with(".weight") && name != "token_decoder.head.weight";
    if (parameter.is_cuda() || product) parameter = parameter.to(at::kBFloat16);
  });
}

FeatureStatistics load_model(LDLM& model, const std::map<std::string, Tensor>& tensors, bool sampling_only) {
  at::NoGradGuard no_grad;
  size_t used = 0;
  const auto take = [&](const std::string& name) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) return Tensor();
    ++used;
    return found->second;
  };
  Tensor any;
  model.visit("", [&](const std::string& name, Tensor& parameter) {
    any = parameter;
    const Tensor saved = take(name);
    if (!saved.defined() && sampling_only && name.starts_with("latent_encoder.")) return;
    TORCH_CHECK_VALUE(saved.defined(), "the checkpoint must hold ", name, ", which is missing: it was made by another configuration");
    TORCH_CHECK_VALUE(saved.sizes() == parameter.sizes(), name, " of the checkpoint must have shape ", parameter.sizes(), ", got ",
                      saved.sizes(), ": it was made with another configuration or vocabulary");
    parameter.copy_(saved);
  });
  const Tensor mean = take("feature_statistics.mean"), deviation = take("feature_statistics.deviation");
  TORCH_CHECK_VALUE(sampling_only || (mean.defined() && deviation.defined()), "the checkpoint must hold feature_statistics.mean and .deviation");
  TORCH_CHECK_VALUE(used == tensors.size(), "the checkpoint holds ", tensors.size() - used,
                    " tensors that this configuration does not know: it was made by another one");
  if (!mean.defined() || !deviation.defined()) return {};
  return {mean.to(any.device(), at::kFloat).clone(), deviation.to(any.device(), at::kFloat).clone()};
}

}  // namespace ldlm
