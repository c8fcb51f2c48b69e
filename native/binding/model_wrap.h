// A trained LDLM in JavaScript: sampling and reconstruction.
#pragma once

#include <map>

#include "binding/abort_flags.h"
#include "binding/handle.h"
#include "generate/generate.h"

namespace ldlm::binding {

struct LoadedModel {
  LDLM model;
  FeatureStatistics statistics;  // undefined in an export for sampling
  NoiseSchedule schedule;
  TimestepSampler timesteps;
  at::Device device;
  DenoiserGraphs graphs;            // on a GPU
  std::map<int, int64_t> together;  // samples_together() by the number of threads, asked once it matters
};

class ModelWrap : public Handle<ModelWrap, LoadedModel> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  // ({weights, config, scheduleD, timesteps | null, device, dtype, samplingOnly}) -> Promise<Model>
  static Napi::Value load(const Napi::CallbackInfo& info);

 private:
  // (request, token, onEvaluation | null) -> Promise<{ids, evaluations}>; onEvaluation(evaluation, ids | null)
  Napi::Value sample(const Napi::CallbackInfo& info);
  // (token): the sampling started with it rejects with ABORTED after its current evaluation.
  Napi::Value abort(const Napi::CallbackInfo& info);
  // (encoder, layer, ids, lengths, noise, seed) -> Promise<Int32Array [B, L]>
  Napi::Value reconstruct(const Napi::CallbackInfo& info);

  AbortFlags running_;
};

}  // namespace ldlm::binding
