// JointTrainer in JavaScript. One call a step; numbers come back only from metrics() and diagnose().
#pragma once

#include "binding/handle.h"

namespace ldlm::binding {

class TrainerWrap : public Handle<TrainerWrap, JointTrainer> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  static Napi::Value create(const Napi::CallbackInfo& info);  // (config, encoder, device) -> Promise<JointTrainer>

 private:
  Napi::Value observe_statistics(const Napi::CallbackInfo& info);  // (ids, lengths)
  Napi::Value finish_statistics(const Napi::CallbackInfo& info);
  Napi::Value step(const Napi::CallbackInfo& info);       // (ids, lengths) -> Promise<void>
  Napi::Value metrics(const Napi::CallbackInfo& info);    // -> Promise<metrics of the last step>
  Napi::Value diagnose(const Napi::CallbackInfo& info);   // (ids, lengths) -> Promise<reconstruction accuracies>
  Napi::Value save(const Napi::CallbackInfo& info);       // (folder) -> Promise<{step, timesteps}>
  Napi::Value load(const Napi::CallbackInfo& info);       // (folder, step, timesteps) -> Promise<void>
};

}  // namespace ldlm::binding
