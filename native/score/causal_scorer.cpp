#include "score/causal_scorer.h"

#include "io/io_error.h"
#include "io/pretrained_folder.h"
#include "model/pretrained_parameters.h"
#include "ops/linear/linear.h"

namespace ldlm {
namespace {

// log softmax(x W^T)[targets], a few rows of logits at a time. x [T, C], targets [T] -> [T].
Tensor target_log_likelihoods(const Tensor& x_TC, const Tensor& weight_VC, const Tensor& targets_T) {
  std::vector<Tensor> parts;
  for (int64_t start = 0; start < x_TC.size(0); start += CausalScorer::kHeadTokens) {
    const int64_t count = std::min(CausalScorer::kHeadTokens, x_TC.size(0) - start);
    const Tensor logits_TV = ldlm::linear(x_TC.narrow(0, start, count), weight_VC, {});
    const Tensor chosen_T = logits_TV.gather(1, targets_T.narrow(0, start, count).unsqueeze(1)).squeeze(1);
    parts.push_back(chosen_T - logits_TV.logsumexp(1));
  }
  return parts.empty() ? x_TC.new_empty({0}) : at::cat(parts);
}

}  // namespace

TextScores CausalScorer::score(const Tensor& ids_BL, const Tensor& lengths_B) const {
  at::NoGradGuard no_grad;
  check_tokens("scorer", ids_BL, lengths_B, network_.tokens.size(0), network_.positions.size(0));
  TORCH_CHECK_VALUE(lengths_B.ge(1).all().item<bool>(), "scorer: lengths must be at least 1");
  const at::Device device = network_.tokens.device();
  const Tensor ids = ids_BL.to(device), lengths = lengths_B.to(device);
  const Tensor h_BLC = network_.advance(network_.embed(ids), 0, network_.layers());

  const Tensor position_L = at::arange(ids.size(1), lengths.options());
  const Tensor scored_BL = (position_L < lengths.unsqueeze(1)).logical_and(position_L > 0);  // real, and not the first
  const Tensor scored_T = scored_BL.flatten().nonzero().squeeze(1);                          // token i is told by state i - 1
  const Tensor before_TC = h_BLC.flatten(0, 1).index_select(0, scored_T - 1);
  Tensor log_likelihoods = at::zeros({ids.numel()}, h_BLC.options());
  log_likelihoods.index_copy_(0, scored_T, target_log_likelihoods(before_TC, network_.tokens, ids.flatten().index_select(0, scored_T)));

  const Tensor last = (lengths - 1).view({-1, 1, 1}).expand({-1, 1, h_BLC.size(2)});
  TextScores scores{log_likelihoods.view_as(ids).cpu(), h_BLC.gather(1, last).squeeze(1).cpu()};  // sync: the result
  TORCH_CHECK(at::isfinite(scores.log_likelihoods_BL).all().item<bool>() && at::isfinite(scores.last_hidden_BC).all().item<bool>(),
              "scorer: log-likelihoods and hidden states must be finite, got others; are the weights damaged?");
  return scores;
}

CausalScorer load_causal_scorer(const std::string& folder, const PretrainedEncoderConfig& config, const at::Device& device) {
  TORCH_CHECK_VALUE(config.family == "gpt2", "a scorer must be of the gpt2 family, which predicts the next token, got ", config.family);
  Gpt2 network(config, at::TensorOptions(at::kFloat).device(at::kMeta));  // shapes only
  const TensorMap tensors = read_pretrained_folder(folder);
  bind_pretrained([&](const ParameterVisitor& visitor) { network.visit("", visitor); }, tensors, {"transformer.", gpt2_may_skip}, folder, device);
  if (const auto head = tensors.find("lm_head.weight"); head != tensors.end()) {
    require_in_file(at::equal(head->second.to(network.tokens.options()), network.tokens), folder,
                      ": lm_head.weight must equal the token embedding (a tied head), got another matrix");
  }
  return CausalScorer(std::move(network));
}

}  // namespace ldlm
