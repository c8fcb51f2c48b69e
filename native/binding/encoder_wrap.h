// PretrainedEncoder in JavaScript: the hidden states of a frozen LM.
#pragma once

#include "binding/handle.h"

namespace ldlm::binding {

class EncoderWrap : public Handle<EncoderWrap, const PretrainedEncoder> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  static Napi::Value load(const Napi::CallbackInfo& info);  // ({folder, config, device}) -> Promise<PretrainedEncoder>

 private:
  Napi::Value hidden(const Napi::CallbackInfo& info);  // (ids, lengths, layer) -> Promise<Float32Array [B, L, H]>
};

}  // namespace ldlm::binding
