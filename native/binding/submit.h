// The one way a method becomes a promise: work on the executor thread, then its result turned into JavaScript.
#pragma once

#include <memory>

#include "binding/environment.h"
#include "binding/errors.h"

namespace ldlm::binding {

// `work()` runs on the executor and returns a plain C++ value; `to_js(env, value)` runs on the JavaScript thread.
template <typename Work, typename ToJs>
Napi::Value submit(Napi::Env env, Work work, ToJs to_js) {
  using Result = std::invoke_result_t<Work>;
  Executor& executor = environment(env).executor;
  auto deferred = std::make_shared<Napi::Promise::Deferred>(env);
  const Napi::Value promise = deferred->Promise();
  if (executor.stopping()) {
    deferred->Reject(to_js_error(env, {"STATE", "the addon has been shut down", ""}).Value());
    return promise;
  }
  executor.submit([&executor, deferred, work = std::move(work), to_js = std::move(to_js)]() mutable {
    std::shared_ptr<Result> result;
    NativeError error;
    try {
      result = std::make_shared<Result>(work());
    } catch (...) {
      error = describe(std::current_exception());
    }
    executor.post([&executor, deferred, result, error, to_js](Napi::Env env) {
      executor.finish();
      if (!result) return deferred->Reject(to_js_error(env, error).Value());
      try {
        deferred->Resolve(to_js(env, *result));
      } catch (const Napi::Error& failure) {
        deferred->Reject(failure.Value());
      } catch (...) {
        deferred->Reject(to_js_error(env, describe(std::current_exception())).Value());
      }
    });
  });
  return promise;
}

struct Nothing {};

// For work without a result.
template <typename Work>
Napi::Value submit(Napi::Env env, Work work) {
  return submit(
      env,
      [work = std::move(work)]() mutable {
        work();
        return Nothing{};
      },
      [](Napi::Env env, const Nothing&) { return env.Undefined(); });
}

// Runs `convert` on the JavaScript thread; C++ exceptions become JavaScript ones.
template <typename Convert>
auto guarded(Napi::Env env, Convert convert) {
  try {
    return convert();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js_error(env, describe(std::current_exception()));
  }
}

}  // namespace ldlm::binding
