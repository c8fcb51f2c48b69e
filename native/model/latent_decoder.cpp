#include "model/latent_decoder.h"

#include "model/recompute.h"
#include "ops/recorded.h"

namespace ldlm {

namespace {
constexpr double kPositionScale = 0.3;  // as in LatentEncoder
}

LatentDecoder::LatentDecoder(const ModelConfig& config, const at::TensorOptions& options)
    : queries_take_latents(config.latents == config.max_length),
      queries_LD(at::empty({config.max_length, config.latent_width}, options)),
      positions_ND(at::empty({config.latents, config.latent_width}, options)),
      output_norm(config.latent_width, options),
      output(config.latent_width, config.hidden_width, true, options) {
  for (int64_t i = 0; i < config.latent_decoder.layers; ++i) {
    blocks.emplace_back(config.latent_width, config.latent_width, config.latent_decoder.heads, options);
  }
}

Tensor LatentDecoder::operator()(const Tensor& z_BND) const {
  const RecordedModule record("latent_decoder");
  const Tensor z = z_BND.to(positions_ND.scalar_type());
  const Tensor context = z + kPositionScale * positions_ND;              // [B, N, D]
  Tensor x = (kPositionScale * queries_LD).expand({z.size(0), -1, -1});  // [B, L, D]
  if (queries_take_latents) x = x + z;
  for (const PerceiverBlock& block : blocks) {
    x = run_block(block, {x, context}, [](const PerceiverBlock& block, const std::vector<Tensor>& in) { return block(in[0], in[1]); });
  }
  return output(output_norm(x));  // [B, L, H]
}

void LatentDecoder::reset_parameters(at::Generator& generator) {
  fill_normal(queries_LD, 1.0, generator);
  fill_normal(positions_ND, 1.0, generator);
  for (PerceiverBlock& block : blocks) block.reset_parameters(static_cast<int64_t>(blocks.size()), generator);
  output_norm.gain.fill_(1.0);
  fill_fan_in(output, generator);
}

void LatentDecoder::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "queries"), queries_LD);
  visitor(join_name(prefix, "positions"), positions_ND);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "blocks." + std::to_string(i)), visitor);
  output_norm.visit(join_name(prefix, "output_norm"), visitor);
  output.visit(join_name(prefix, "output"), visitor);
}

}  // namespace ldlm
