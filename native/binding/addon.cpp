// The export list of the addon: its table of contents. Types of everything here: src/api/native_types.ts.
#include <torch/version.h>

#include <cstdlib>

#include "binding/baseline_wrap.h"
#include "binding/bench.h"
#include "binding/encoder_wrap.h"
#include "binding/lm_trainer_wrap.h"
#include "binding/model_wrap.h"
#include "binding/scorer_wrap.h"
#include "binding/trainer_wrap.h"

namespace ldlm::binding {

namespace {

// (modelConfig) -> parameters of each module. On the meta device: nothing is allocated.
Napi::Value count_model_parameters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    LDLM model(to_model_config({info[0], "model"}), at::TensorOptions(at::kMeta));
    auto counts = Napi::Object::New(info.Env());
    counts.Set("latentEncoder", static_cast<double>(count_parameters(model.latent_encoder)));
    counts.Set("latentDecoder", static_cast<double>(count_parameters(model.latent_decoder)));
    counts.Set("tokenDecoder", static_cast<double>(count_parameters(model.token_decoder)));
    counts.Set("dit", static_cast<double>(count_parameters(model.dit)));
    counts.Set("total", static_cast<double>(count_parameters(model)));
    return counts;
  });
}

// ({inputs, output, prefixes}): copies the tensors of a safetensors file whose names start with one of the prefixes.
Napi::Value export_tensors(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    ObjectReader reader(info[0], "export");
    const std::string input = reader.string("input"), output = reader.string("output");
    const auto list = reader.value("prefixes").As<Napi::Array>();
    reader.finish();
    std::vector<std::string> prefixes;
    for (uint32_t i = 0; i < list.Length(); ++i) prefixes.push_back(Napi::Value(list[i]).ToString());
    return submit(info.Env(), [=] {
      TensorMap kept;
      for (const auto& [name, tensor] : read_safetensors(input)) {
        if (std::any_of(prefixes.begin(), prefixes.end(), [&](const auto& prefix) { return name.starts_with(prefix); })) kept[name] = tensor;
      }
      write_safetensors(output, kept, {{"format", "pt"}});
    });
  });
}

Napi::Value set_threads(const Napi::CallbackInfo& info) {
  set_cpu_threads(info[0].ToNumber().Int32Value());
  return info.Env().Undefined();
}

Napi::Value threads(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), at::get_num_threads()); }

Napi::Value shutdown(const Napi::CallbackInfo& info) {
  environment(info.Env()).executor.stop();
  return info.Env().Undefined();
}

// (code): ends the process without waiting for the job in flight, and so without the destructors that would run beneath it.
Napi::Value exit_now(const Napi::CallbackInfo& info) { std::_Exit(info[0].ToNumber().Int32Value()); }

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto* const state = new Environment(env);
  env.SetInstanceData(state);  // freed by Node-API with the environment
  // Worker threads: stop before the environment goes; on the main thread process.on('exit') has called shutdown() already.
  env.AddCleanupHook([state] { state->executor.stop(); });

  const auto define = [&](const char* name, Napi::FunctionReference& slot, Napi::Function constructor, const char* factory,
                          Napi::Value (*make)(const Napi::CallbackInfo&)) {
    constructor.Set(factory, Napi::Function::New(env, make));
    slot = Napi::Persistent(constructor);
    exports.Set(name, constructor);
  };
  define("PretrainedEncoder", state->encoder, EncoderWrap::define(env), "load", EncoderWrap::load);
  define("Model", state->model, ModelWrap::define(env), "load", ModelWrap::load);
  define("JointTrainer", state->trainer, TrainerWrap::define(env), "create", TrainerWrap::create);
  define("LmTrainer", state->lm_trainer, LmTrainerWrap::define(env), "create", LmTrainerWrap::create);
  define("Scorer", state->scorer, ScorerWrap::define(env), "load", ScorerWrap::load);
  define("BaselineTrainer", state->baseline_trainer, BaselineTrainerWrap::define(env), "create", BaselineTrainerWrap::create);
  define("Baseline", state->baseline, BaselineWrap::define(env), "load", BaselineWrap::load);

  exports.Set("torchVersion", TORCH_VERSION);
  exports.Set("cudaAvailable", Napi::Boolean::New(env, at::hasCUDA()));
  exports.Set("cpuBfloat16", Napi::Boolean::New(env, Bf16Products::supported()));
  exports.Set("countParameters", Napi::Function::New(env, count_model_parameters));
  exports.Set("countBaselineParameters", Napi::Function::New(env, count_baseline_parameters));
  exports.Set("exportTensors", Napi::Function::New(env, export_tensors));
  exports.Set("clusterFeatures", Napi::Function::New(env, cluster_features));
  exports.Set("measureMachineRates", Napi::Function::New(env, measure_machine_rates));
  exports.Set("benchOps", Napi::Function::New(env, bench_ops));
  exports.Set("startProfile", Napi::Function::New(env, start_profile));
  exports.Set("stopProfile", Napi::Function::New(env, stop_profile));
  exports.Set("parameterShapes", Napi::Function::New(env, parameter_shapes));
  exports.Set("threads", Napi::Function::New(env, threads));
  exports.Set("setThreads", Napi::Function::New(env, set_threads));
  exports.Set("exitNow", Napi::Function::New(env, exit_now));
  exports.Set("shutdown", Napi::Function::New(env, shutdown));
  return exports;
}

}  // namespace

Napi::Object init_addon(Napi::Env env, Napi::Object exports) { return initialize(env, exports); }

}  // namespace ldlm::binding

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return ldlm::binding::init_addon(env, exports); }
NODE_API_MODULE(ldlm, Init)
