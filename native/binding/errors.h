// C++ exceptions as data that can cross threads, and as the JavaScript errors they become.
#pragma once

#include <napi.h>

#include <exception>
#include <string>

namespace ldlm::binding {

struct NativeError {
  std::string code;     // INVALID_ARGUMENT | OUT_OF_MEMORY | IO | TORCH | DIVERGED | STATE | ABORTED | NATIVE
  std::string message;  // without a backtrace
  std::string native_stack;
};

// A call that the state of the object does not allow, such as use after dispose().
struct StateError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

NativeError describe(const std::exception_ptr& exception);
Napi::Error to_js_error(Napi::Env env, const NativeError& error);

}  // namespace ldlm::binding
