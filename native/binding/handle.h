// A JavaScript object that owns native memory: holds it until dispose() or garbage collection, whichever comes first.
#pragma once

#include "binding/convert.h"
#include "binding/submit.h"

namespace ldlm::binding {

template <typename Wrap, typename Native>
class Handle : public Napi::ObjectWrap<Wrap> {
 public:
  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Wrap>(info) {}
  ~Handle() override { account(-bytes_); }

  // The object of `constructor` that owns `native`, of about `bytes` bytes, which V8 is told of.
  static Napi::Value wrap(Napi::Env env, const Napi::FunctionReference& constructor, std::shared_ptr<Native> native, int64_t bytes) {
    const Napi::Object object = constructor.New({});
    Wrap* const handle = Wrap::Unwrap(object);
    handle->native_ = std::move(native);
    handle->bytes_ = bytes;
    handle->account(bytes);
    return object;
  }

  // A share in the native object, for a job. Throws STATE after dispose().
  std::shared_ptr<Native> native() const {
    if (!native_) throw StateError("this object has been disposed of");
    return native_;
  }

  // Frees after the jobs in flight; idempotent.
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    account(-bytes_);
    bytes_ = 0;
    return submit(info.Env(), [native = std::move(native_)]() mutable { native.reset(); });
  }

 private:
  void account(int64_t bytes) { Napi::MemoryManagement::AdjustExternalMemory(this->Env(), bytes); }

  std::shared_ptr<Native> native_;
  int64_t bytes_ = 0;
};

}  // namespace ldlm::binding
