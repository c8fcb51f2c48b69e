// The baselines in JavaScript: what an LDLM is compared with.
#pragma once

#include "baselines/baseline_trainer.h"
#include "binding/abort_flags.h"
#include "binding/handle.h"

namespace ldlm::binding {

class BaselineTrainerWrap : public Handle<BaselineTrainerWrap, BaselineTrainer> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  static Napi::Value create(const Napi::CallbackInfo& info);  // ({model, train}) -> Promise<BaselineTrainer>

 private:
  Napi::Value step(const Napi::CallbackInfo& info);  // (ids, lengths, progress) -> Promise<metrics of the step>
  Napi::Value save(const Napi::CallbackInfo& info);  // (folder) -> Promise<void>
  Napi::Value load(const Napi::CallbackInfo& info);  // (folder, step) -> Promise<void>
};

class BaselineWrap : public Handle<BaselineWrap, const Baseline> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  static Napi::Value load(const Napi::CallbackInfo& info);  // ({weights | null, config}) -> Promise<Baseline>

 private:
  // (request, token) -> Promise<{ids, evaluations, evaluationsMade}>
  Napi::Value sample(const Napi::CallbackInfo& info);
  // (token): the sampling started with it rejects with ABORTED before its next evaluation.
  Napi::Value abort(const Napi::CallbackInfo& info);

  AbortFlags running_;
};

// (modelConfig) -> number. On the meta device: nothing is allocated.
Napi::Value count_baseline_parameters(const Napi::CallbackInfo& info);

}  // namespace ldlm::binding
