#include "binding/trainer_wrap.h"

#include "binding/encoder_wrap.h"

namespace ldlm::binding {

namespace {

Napi::Value from_metrics(Napi::Env env, const StepMetrics& metrics) {
  auto object = Napi::Object::New(env);
  const auto set = [&](const char* key, double value) { object.Set(key, value); };
  set("step", static_cast<double>(metrics.step));
  set("diffusion", metrics.diffusion);
  set("hidden", metrics.hidden);
  set("token", metrics.token);
  set("total", metrics.total);
  set("gamma", metrics.gamma);
  set("lr", metrics.lr);
  set("gradNorm", metrics.gradient_norm);
  set("latentStd", metrics.latent.deviation);
  set("effectiveRank", metrics.latent.effective_rank);
  object.Set("latentSpectrum", from_doubles(env, metrics.latent.spectrum));
  return object;
}

Napi::Value from_accuracy(Napi::Env env, const ReconstructionAccuracy& accuracy) {
  auto object = Napi::Object::New(env);
  object.Set("clean", accuracy.clean);
  object.Set("noisy", accuracy.noisy);
  object.Set("times", from_doubles(env, {std::begin(kOneStepTimes), std::end(kOneStepTimes)}));
  object.Set("oneStep", from_doubles(env, accuracy.one_step));
  object.Set("relativeError", from_doubles(env, accuracy.relative_error));
  return object;
}

// The part of a checkpoint that is not tensors.
struct LoopState {
  int64_t step;
  TimestepSampler::State timesteps;
  std::vector<double> loss_by_bin;
};

}  // namespace

Napi::Function TrainerWrap::define(Napi::Env env) {
  return DefineClass(env, "JointTrainer",
                     {InstanceMethod<&TrainerWrap::observe_statistics>("observeStatistics"),
                      InstanceMethod<&TrainerWrap::finish_statistics>("finishStatistics"), InstanceMethod<&TrainerWrap::step>("step"),
                      InstanceMethod<&TrainerWrap::metrics>("metrics"), InstanceMethod<&TrainerWrap::diagnose>("diagnose"),
                      InstanceMethod<&TrainerWrap::save>("save"), InstanceMethod<&TrainerWrap::load>("load"),
                      InstanceMethod("dispose", &TrainerWrap::dispose)});
}

Napi::Value TrainerWrap::create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const JointTrainerConfig config = to_joint_trainer_config({info[0], "config"});
    const auto encoder = EncoderWrap::Unwrap(info[1].As<Napi::Object>())->native();
    const at::Device device = to_device(info[2].ToString());
    return submit(
        env, [=] { return std::make_shared<JointTrainer>(config, encoder, device); },
        [config](Napi::Env env, const std::shared_ptr<JointTrainer>& trainer) {
          LDLM sizes(config.model, at::TensorOptions(at::kMeta));
          constexpr int64_t kCopies = 4;  // parameters, EMA and the two moments
          return TrainerWrap::wrap(env, environment(env).trainer, trainer, 4 * kCopies * count_parameters(sizes));
        });
  });
}

Napi::Value TrainerWrap::observe_statistics(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(info.Env(), [trainer = native(), batch = to_batch(info[0], info[1])] { trainer->observe_statistics(batch); });
  });
}

Napi::Value TrainerWrap::finish_statistics(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return submit(info.Env(), [trainer = native()] { trainer->finish_statistics(); }); });
}

Napi::Value TrainerWrap::step(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(info.Env(), [trainer = native(), batch = to_batch(info[0], info[1])] { trainer->step(batch); });
  });
}

Napi::Value TrainerWrap::metrics(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return submit(info.Env(), [trainer = native()] { return trainer->metrics(); }, from_metrics); });
}

Napi::Value TrainerWrap::diagnose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(
        info.Env(), [trainer = native(), batch = to_batch(info[0], info[1])] { return trainer->diagnose(batch); }, from_accuracy);
  });
}

Napi::Value TrainerWrap::save(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(
        info.Env(),
        [trainer = native(), folder = std::string(info[0].ToString())] {
          trainer->save(folder);
          return LoopState{trainer->steps_done(), trainer->timesteps().state(), trainer->timesteps().loss_by_bin()};
        },
        [](Napi::Env env, const LoopState& state) {
          auto object = Napi::Object::New(env);
          object.Set("step", static_cast<double>(state.step));
          object.Set("timesteps", from_timestep_state(env, state.timesteps));
          object.Set("lossByTimestep", from_doubles(env, state.loss_by_bin));
          return object;
        });
  });
}

Napi::Value TrainerWrap::load(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto timesteps = to_timestep_state({info[2], "timesteps"});
    return submit(info.Env(), [trainer = native(), folder = std::string(info[0].ToString()), step = info[1].ToNumber().Int64Value(), timesteps] {
      trainer->load(folder, step, timesteps);
    });
  });
}

}  // namespace ldlm::binding
