#include "binding/errors.h"

#include <system_error>

#include "generate/generate.h"
#include "io/io_error.h"
#include "torch.h"
#include "train/diverged_error.h"

namespace ldlm::binding {

namespace {

NativeError out_of_memory(const std::string& message, const std::string& native_stack) {
  return {"OUT_OF_MEMORY", message + " Lower train.batch or the sampling batch, or raise train.accumulate.", native_stack};
}

}  // namespace

NativeError describe(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const SamplingAborted& error) {
    return {"ABORTED", error.what(), ""};
  } catch (const StateError& error) {
    return {"STATE", error.what(), ""};
  } catch (const c10::OutOfMemoryError& error) {
    return out_of_memory(error.what_without_backtrace(), error.what());
  } catch (const c10::ValueError& error) {
    return {"INVALID_ARGUMENT", error.what_without_backtrace(), error.what()};
  } catch (const c10::IndexError& error) {
    return {"INVALID_ARGUMENT", error.what_without_backtrace(), error.what()};
  } catch (const c10::TypeError& error) {
    return {"INVALID_ARGUMENT", error.what_without_backtrace(), error.what()};
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    if (message.find("DefaultCPUAllocator") != std::string::npos) return out_of_memory(message, error.what());  // the CPU's has no class of its own
    return {"TORCH", message, error.what()};
  } catch (const DivergedError& error) {
    return {"DIVERGED", error.what(), ""};
  } catch (const IoError& error) {
    return {"IO", error.what(), ""};
  } catch (const std::system_error& error) {
    return {"IO", error.what(), ""};
  } catch (const std::bad_alloc&) {
    return out_of_memory("out of memory.", "");
  } catch (const std::exception& error) {
    return {"NATIVE", error.what(), ""};
  } catch (...) {
    return {"NATIVE", "unknown native error", ""};
  }
}

Napi::Error to_js_error(Napi::Env env, const NativeError& error) {
  Napi::Error js = Napi::Error::New(env, error.message);
  js.Value().Set("code", error.code);
  js.Value().Set("nativeStack", error.native_stack);
  return js;
}

}  // namespace ldlm::binding
