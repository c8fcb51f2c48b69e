#include "binding/baseline_wrap.h"

#include <cmath>

namespace ldlm::binding {

namespace {

BaselineConfig to_baseline_config(ObjectReader reader) {
  const BaselineConfig config = {reader.string("kind"),   reader.integer("vocabulary"), reader.integer("length"),    reader.integer("layers"),
                                 reader.integer("width"), reader.integer("heads"),      reader.integer("condition"), reader.integer("endId")};
  reader.finish();
  return config;
}

BaselineTrainConfig to_baseline_train_config(ObjectReader reader) {
  BaselineTrainConfig config;
  config.batch = reader.integer("batch");
  config.accumulate = reader.integer("accumulate");
  config.warmup_steps = reader.integer("warmupSteps");
  config.cooldown = reader.number("cooldown");
  config.lr = reader.number("lr");
  config.optimizer = to_optimizer_config(reader);
  config.ema = reader.number("ema");
  config.seed = static_cast<uint64_t>(reader.integer("seed"));
  config.bfloat16 = reader.boolean("bfloat16");
  reader.finish();
  return config;
}

BaselineRequest to_baseline_request(ObjectReader reader) {
  const BaselineRequest request = {reader.integer("firstIndex"), reader.integer("count"),       reader.integer("steps"), static_cast<uint64_t>(reader.integer("seed")),
                                   reader.boolean("stopAtEnd"),  reader.boolean("stepwise"), reader.integer("stride")};
  reader.finish();
  return request;
}

std::shared_ptr<const Baseline> load_or_fill(const BaselineConfig& config, const std::optional<std::string>& weights) {
  std::shared_ptr<Baseline> model = make_baseline(config, at::TensorOptions(at::kFloat));
  if (weights) {
    load_baseline(*model, *weights);
    return model;
  }
  // Random weights are for timing. What training begins with has zeros in many places, which could be faster than what it ends with.
  constexpr uint64_t kSeed = 0;
  model->reset_parameters(kSeed);
  at::NoGradGuard no_grad;
  auto generator = at::detail::createCPUGenerator(kSeed);
  model->visit("", [&](const std::string& name, Tensor& p) {
    // The scores of sedd must add up to those of a distribution, or all masks go in the first step: its head gives the uniform one.
    if (config.kind == "sedd" && name.starts_with("head.")) p.fill_(name.ends_with("bias") ? -std::log(static_cast<double>(config.vocabulary)) : 0);
    else p.add_(at::randn(p.sizes(), generator, at::TensorOptions(at::kFloat)), 0.02);
  });
  return model;
}

int64_t count_of(const BaselineConfig& config) {
  const auto model = make_baseline(config, at::TensorOptions(at::kMeta));
  return count_parameters(*model);
}

}  // namespace

Napi::Function BaselineTrainerWrap::define(Napi::Env env) {
  return DefineClass(env, "BaselineTrainer",
                     {InstanceMethod<&BaselineTrainerWrap::step>("step"), InstanceMethod<&BaselineTrainerWrap::save>("save"),
                      InstanceMethod<&BaselineTrainerWrap::load>("load"), InstanceMethod("dispose", &BaselineTrainerWrap::dispose)});
}

Napi::Value BaselineTrainerWrap::create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    ObjectReader reader(info[0], "baseline");
    const BaselineConfig model = to_baseline_config(reader.object("model"));
    const BaselineTrainConfig train = to_baseline_train_config(reader.object("train"));
    reader.finish();
    return submit(
        env, [=] { return std::make_shared<BaselineTrainer>(model, train); },
        [](Napi::Env env, const std::shared_ptr<BaselineTrainer>& trainer) {
          constexpr int64_t kCopies = 4;  // parameters, EMA and the two moments
          return BaselineTrainerWrap::wrap(env, environment(env).baseline_trainer, trainer, 4 * kCopies * trainer->parameters());
        });
  });
}

Napi::Value BaselineTrainerWrap::step(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(
        info.Env(),
        [trainer = native(), batch = to_batch(info[0], info[1]), progress = info[2].ToNumber().DoubleValue()] {
          return trainer->step(batch.ids_BL, batch.lengths_B, progress);
        },
        [](Napi::Env env, const BaselineStep& step) {
          auto object = Napi::Object::New(env);
          object.Set("step", static_cast<double>(step.step));
          object.Set("loss", step.loss);
          object.Set("lr", step.lr);
          object.Set("gradNorm", step.gradient_norm);
          return object;
        });
  });
}

Napi::Value BaselineTrainerWrap::save(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(info.Env(), [trainer = native(), folder = std::string(info[0].ToString())] { trainer->save(folder); });
  });
}

Napi::Value BaselineTrainerWrap::load(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return submit(info.Env(), [trainer = native(), folder = std::string(info[0].ToString()), step = info[1].ToNumber().Int64Value()] {
      trainer->load(folder, step);
    });
  });
}

Napi::Function BaselineWrap::define(Napi::Env env) {
  return DefineClass(env, "Baseline",
                     {InstanceMethod<&BaselineWrap::sample>("sample"), InstanceMethod<&BaselineWrap::abort>("abort"),
                      InstanceMethod("dispose", &BaselineWrap::dispose)});
}

Napi::Value BaselineWrap::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    ObjectReader reader(info[0], "baseline");
    std::optional<std::string> weights;
    if (!reader.is_null("weights")) weights = reader.string("weights");
    const BaselineConfig config = to_baseline_config(reader.object("config"));
    reader.finish();
    const int64_t bytes = 4 * count_of(config);
    return submit(
        env, [=] { return load_or_fill(config, weights); },
        [bytes](Napi::Env env, const std::shared_ptr<const Baseline>& model) {
          return BaselineWrap::wrap(env, environment(env).baseline, model, bytes);
        });
  });
}

Napi::Value BaselineWrap::sample(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const BaselineRequest request = to_baseline_request({info[0], "request"});
    const AbortFlags::Flag aborted = running_.add(info[1].ToNumber().Int64Value());
    Executor& executor = environment(env).executor;
    return submit(
        env, [=, &executor, model = native()] { return model->sample(request, [&] { return !*aborted && !executor.stopping(); }); },
        [](Napi::Env env, const BaselineSamples& samples) {
          auto object = Napi::Object::New(env);
          object.Set("ids", from_ids(env, samples.ids_BL));
          object.Set("evaluations", static_cast<double>(samples.evaluations.needed));
          object.Set("evaluationsMade", static_cast<double>(samples.evaluations.made));
          return object;
        });
  });
}

Napi::Value BaselineWrap::abort(const Napi::CallbackInfo& info) {
  running_.raise(info[0].ToNumber().Int64Value());
  return info.Env().Undefined();
}

Napi::Value count_baseline_parameters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::Number::New(info.Env(), static_cast<double>(count_of(to_baseline_config({info[0], "model"})))); });
}

}  // namespace ldlm::binding
