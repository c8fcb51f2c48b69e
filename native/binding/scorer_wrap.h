// Scorer in JavaScript: token log-likelihoods and last hidden states of a causal LM; and the clustering of such states.
#pragma once

#include "binding/handle.h"
#include "score/causal_scorer.h"

namespace ldlm::binding {

class ScorerWrap : public Handle<ScorerWrap, const CausalScorer> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  static Napi::Value load(const Napi::CallbackInfo& info);  // ({folder, config, device}) -> Promise<Scorer>

 private:
  Napi::Value score(const Napi::CallbackInfo& info);  // (ids, lengths) -> Promise<{logLikelihoods [B * L], lastHidden [B * H]}>
};

// ({features, width, clusters, explainedVariance, restarts, iterations, seeds}) -> Promise<labels [seeds * N]>
Napi::Value cluster_features(const Napi::CallbackInfo& info);

}  // namespace ldlm::binding
