#include "model/latent_encoder.h"

#include "model/recompute.h"
#include "ops/recorded.h"

namespace ldlm {

namespace {
// Positions and queries are unit normal vectors at this scale: heard beside an input of deviation 1, not over it.
constexpr double kPositionScale = 0.3;
}  // namespace

LatentEncoder::LatentEncoder(const ModelConfig& config, const at::TensorOptions& options)
    : queries_ND(at::empty({config.latents, config.latent_width}, options)),
      positions_LH(at::empty({config.max_length, config.hidden_width}, options)),
      free_scale(config.free_scale) {
  if (config.latents == config.max_length) {
    query_input = Linear(config.hidden_width, config.latent_width, false, options);
  }
  for (int64_t i = 0; i < config.latent_encoder.layers; ++i) {
    blocks.emplace_back(config.latent_width, config.hidden_width, config.latent_encoder.heads, options);
  }
}

Tensor LatentEncoder::operator()(const Tensor& h_BLH) const {
  const RecordedModule record("latent_encoder");
  const Tensor h = h_BLH.to(positions_LH.scalar_type());
  const Tensor context = h + kPositionScale * positions_LH;                // [B, L, H]
  Tensor x = (kPositionScale * queries_ND).expand({h.size(0), -1, -1});    // [B, N, D]
  if (query_input.weight.defined()) x = x + query_input(h);
  for (const PerceiverBlock& block : blocks) {
    x = run_block(block, {x, context}, [](const PerceiverBlock& block, const std::vector<Tensor>& in) { return block(in[0], in[1]); });
  }
  return free_scale ? x : rms_normalize(x);
}

void LatentEncoder::reset_parameters(at::Generator& generator) {
  fill_normal(queries_ND, 1.0, generator);
  fill_normal(positions_LH, 1.0, generator);
  if (query_input.weight.defined()) fill_fan_in(query_input, generator);
  for (PerceiverBlock& block : blocks) block.reset_parameters(static_cast<int64_t>(blocks.size()), generator);
}

void LatentEncoder::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "queries"), queries_ND);
  visitor(join_name(prefix, "positions"), positions_LH);
  if (query_input.weight.defined()) query_input.visit(join_name(prefix, "query_input"), visitor);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "blocks." + std::to_string(i)), visitor);
}

}  // namespace ldlm
