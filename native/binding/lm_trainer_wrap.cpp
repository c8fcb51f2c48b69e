#include "binding/lm_trainer_wrap.h"

namespace ldlm::binding {

namespace {

LmConfig to_lm_config(ObjectReader reader) {
  const LmConfig config = {reader.integer("layers"), reader.integer("width"), reader.integer("heads"), reader.integer("vocabulary"),
                           reader.integer("positions")};
  reader.finish();
  return config;
}

LmTrainConfig to_lm_train_config(ObjectReader reader) {
  LmTrainConfig config;
  config.lr = reader.number("lr");
  config.optimizer = {reader.number("beta1"), reader.number("beta2"), reader.number("eps"), reader.number("weightDecay"), reader.number("clip"), {}};
  config.warmup_steps = reader.integer("warmupSteps");
  config.steps = reader.integer("steps");
  config.seed = static_cast<uint64_t>(reader.integer("seed"));
  config.micro_batches = reader.integer("microBatches");
  config.identity_weight = reader.number("identityWeight");
  config.identity_layer = reader.integer("identityLayer");
  reader.finish();
  return config;
}

Napi::Value from_step(Napi::Env env, const LmStep& step) {
  auto object = Napi::Object::New(env);
  object.Set("nextTokenLoss", step.next_token_loss);
  object.Set("identityLoss", step.identity_loss);
  object.Set("identityAccuracy", step.identity_accuracy);
  object.Set("gradNorm", step.gradient_norm);
  return object;
}

Napi::Value from_evaluation(Napi::Env env, const LmEvaluation& evaluation) {
  auto object = Napi::Object::New(env);
  object.Set("sumNll", evaluation.sum_nll);
  object.Set("predictedTokens", static_cast<double>(evaluation.predicted_tokens));
  object.Set("identityCorrect", static_cast<double>(evaluation.identity_correct));
  object.Set("tokens", static_cast<double>(evaluation.tokens));
  return object;
}

}  // namespace

Napi::Function LmTrainerWrap::define(Napi::Env env) {
  return DefineClass(env, "LmTrainer",
                     {InstanceMethod<&LmTrainerWrap::step>("step"), InstanceMethod<&LmTrainerWrap::evaluate>("evaluate"),
                      InstanceMethod<&LmTrainerWrap::save>("save"), InstanceMethod("dispose", &LmTrainerWrap::dispose)});
}

Napi::Value LmTrainerWrap::create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    ObjectReader reader(info[0], "lm");
    const LmConfig model = to_lm_config(reader.object("model"));
    const LmTrainConfig train = to_lm_train_config(reader.object("train"));
    reader.finish();
    const int64_t bytes = 12 * model.width * (model.vocabulary + 12 * model.width * model.layers);
    return submit(
        env, [=] { return std::make_shared<LmTrainer>(model, train); },
        [bytes](Napi::Env env, const std::shared_ptr<LmTrainer>& trainer) {
          return LmTrainerWrap::wrap(env, environment(env).lm_trainer, trainer, bytes);
        });
  });
}

Napi::Value LmTrainerWrap::step(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(
        info.Env(), [trainer = native(), batch = to_batch(info[0], info[1])] { return trainer->step(batch.ids_BL, batch.lengths_B); }, from_step);
  });
}

Napi::Value LmTrainerWrap::evaluate(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(
        info.Env(), [trainer = native(), batch = to_batch(info[0], info[1])] { return trainer->evaluate(batch.ids_BL, batch.lengths_B); },
        from_evaluation);
  });
}

Napi::Value LmTrainerWrap::save(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(info.Env(), [trainer = native(), folder = std::string(info[0].ToString())] { trainer->save(folder); });
  });
}

}  // namespace ldlm::binding
