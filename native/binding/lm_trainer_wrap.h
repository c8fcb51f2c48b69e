// LmTrainer in JavaScript: pretraining of the small causal LM that an LDLM is built on.
#pragma once

#include "binding/handle.h"
#include "train/lm_trainer.h"

namespace ldlm::binding {

class LmTrainerWrap : public Handle<LmTrainerWrap, LmTrainer> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  static Napi::Value create(const Napi::CallbackInfo& info);  // ({model, train}) -> Promise<LmTrainer>

 private:
  Napi::Value step(const Napi::CallbackInfo& info);      // (ids, lengths) -> Promise<losses before the update>
  Napi::Value evaluate(const Napi::CallbackInfo& info);  // (ids, lengths) -> Promise<sums over the batch>
  Napi::Value save(const Napi::CallbackInfo& info);      // (folder) -> Promise<void>
};

}  // namespace ldlm::binding
