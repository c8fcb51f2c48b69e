#include "binding/scorer_wrap.h"

#include "binding/pretrained_source.h"
#include "score/clustering.h"

namespace ldlm::binding {

Napi::Function ScorerWrap::define(Napi::Env env) {
  return DefineClass(env, "Scorer", {InstanceMethod<&ScorerWrap::score>("score"), InstanceMethod("dispose", &ScorerWrap::dispose)});
}

Napi::Value ScorerWrap::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const PretrainedSource source(info[0], "scorer");
    return submit(
        env, [=] { return std::make_shared<const CausalScorer>(load_causal_scorer(source.folder, source.config, source.device)); },
        [bytes = source.bytes()](Napi::Env env, const std::shared_ptr<const CausalScorer>& scorer) {
          return ScorerWrap::wrap(env, environment(env).scorer, scorer, bytes);
        });
  });
}

Napi::Value ScorerWrap::score(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(
        info.Env(), [scorer = native(), batch = to_batch(info[0], info[1])] { return scorer->score(batch.ids_BL, batch.lengths_B); },
        [](Napi::Env env, const TextScores& scores) {
          auto object = Napi::Object::New(env);
          object.Set("logLikelihoods", from_floats(env, scores.log_likelihoods_BL));
          object.Set("lastHidden", from_floats(env, scores.last_hidden_BC));
          return object;
        });
  });
}

Napi::Value cluster_features(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    ObjectReader reader(info[0], "clustering");
    const Tensor features = to_matrix(reader.value("features"), reader.integer("width"), "features");
    const ClusterConfig config = {reader.integer("clusters"), reader.number("explainedVariance"), reader.integer("restarts"),
                                  reader.integer("iterations")};
    const std::vector<double> numbers = to_doubles(reader.value("seeds"));
    reader.finish();
    const std::vector<uint64_t> seeds(numbers.begin(), numbers.end());
    return submit(info.Env(), [=] { return ldlm::cluster_features(features, config, seeds); }, from_ids);
  });
}

}  // namespace ldlm::binding
