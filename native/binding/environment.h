// What belongs to one JavaScript environment (the main thread or a worker thread): nothing of ours is per process.
#pragma once

#include <napi.h>

#include "binding/executor.h"

namespace ldlm::binding {

struct Environment {
  explicit Environment(Napi::Env env) : executor(env) {}

  Executor executor;
  Napi::FunctionReference encoder, model, trainer, lm_trainer, scorer, baseline, baseline_trainer;  // constructors of the wrapped classes
};

inline Environment& environment(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

}  // namespace ldlm::binding
