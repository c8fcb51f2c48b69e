#include "binding/encoder_wrap.h"

#include "binding/pretrained_source.h"

namespace ldlm::binding {

Napi::Function EncoderWrap::define(Napi::Env env) {
  return DefineClass(env, "PretrainedEncoder",
                     {InstanceMethod<&EncoderWrap::hidden>("hidden"), InstanceMethod("dispose", &EncoderWrap::dispose)});
}

Napi::Value EncoderWrap::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const PretrainedSource source(info[0], "encoder");
    return submit(
        env,
        [=] { return std::shared_ptr<const PretrainedEncoder>(load_pretrained_encoder(source.folder, source.config, source.device)); },
        [bytes = source.bytes()](Napi::Env env, const std::shared_ptr<const PretrainedEncoder>& encoder) {
          return EncoderWrap::wrap(env, environment(env).encoder, encoder, bytes);
        });
  });
}

Napi::Value EncoderWrap::hidden(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Batch batch = to_batch(info[0], info[1]);
    const int64_t layer = info[2].ToNumber().Int64Value();
    return submit(
        info.Env(), [=, encoder = native()] { return encoder->hidden(batch.ids_BL, batch.lengths_B, layer).cpu(); }, from_floats);
  });
}

}  // namespace ldlm::binding
