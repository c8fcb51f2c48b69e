#include "binding/model_wrap.h"

#include <map>

#include "binding/encoder_wrap.h"
#include "ops/philox/philox.h"

namespace ldlm::binding {

namespace {

SampleRequest to_request(ObjectReader reader) {
  SampleRequest request;
  request.first_index = reader.integer("firstIndex");
  request.count = reader.integer("count");
  request.steps = reader.integer("steps");
  const std::string sampler = reader.string("sampler");
  static const std::map<std::string, SamplerKind> kSamplers = {
      {"ddim", SamplerKind::kDdim}, {"dpmpp", SamplerKind::kDpmpp}, {"heun", SamplerKind::kHeun}, {"sde", SamplerKind::kSde}};
  const auto found = kSamplers.find(sampler);
  TORCH_CHECK_VALUE(found != kSamplers.end(), "sampler must be ddim, dpmpp, heun or sde, got ", sampler);
  request.sampler = found->second;
  request.eta = reader.number("eta");
  request.temperature = reader.number("temperature");
  request.uniform_grid = reader.boolean("uniformGrid");
  request.u_min = reader.number("uMin");
  request.seed = static_cast<uint64_t>(reader.integer("seed"));
  request.preview_every = reader.integer("previewEvery");
  reader.finish();
  return request;
}

Tensor reconstruct_ids(const LoadedModel& loaded, const PretrainedEncoder& encoder, int64_t layer, const Batch& batch, double noise, uint64_t seed) {
  if (!loaded.statistics.mean_H.defined()) throw StateError("this model was exported for sampling only: it has no latent encoder to reconstruct with");
  const c10::InferenceMode inference;
  const Tensor ids = batch.ids_BL.to(loaded.device), lengths = batch.lengths_B.to(loaded.device);
  const Tensor h = loaded.statistics.normalize(encoder.hidden(ids, lengths, layer), lengths);
  const Tensor z0 = loaded.model.encode(h).to(at::kFloat);
  const RandomStream stream = {seed, RandomPurpose::kDecoderNoise, 0};
  return loaded.model.decode(z0 + noise * philox_normal(stream, 0, z0.size(0), z0.sizes().slice(1), loaded.device)).cpu();
}

}  // namespace

Napi::Function ModelWrap::define(Napi::Env env) {
  return DefineClass(env, "Model",
                     {InstanceMethod<&ModelWrap::sample>("sample"), InstanceMethod<&ModelWrap::abort>("abort"),
                      InstanceMethod<&ModelWrap::reconstruct>("reconstruct"), InstanceMethod("dispose", &ModelWrap::dispose)});
}

Napi::Value ModelWrap::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    ObjectReader reader(info[0], "model");
    const std::string weights = reader.string("weights");
    const ModelConfig config = to_model_config(reader.object("config"));
    const NoiseSchedule schedule = {reader.number("scheduleD")};
    std::optional<TimestepSampler::State> warp;
    if (!reader.is_null("timesteps")) warp = to_timestep_state(reader.object("timesteps"));
    const at::Device device = to_device(reader.string("device"));
    const at::ScalarType dtype = to_dtype(reader.string("dtype"));
    const bool sampling_only = reader.boolean("samplingOnly");
    reader.finish();
    return submit(
        env,
        [=] {
          LDLM model(config, at::TensorOptions(at::kFloat).device(device));
          const FeatureStatistics statistics = load_model(model, read_safetensors(weights), sampling_only);
          if (dtype == at::kBFloat16) round_to_bf16(model);
          const int64_t bins = warp ? static_cast<int64_t>(warp->loss_sum.size()) : 1;
          TimestepSampler timesteps(warp ? std::optional(AdaptiveTimesteps{bins, 1, 1, 0}) : std::nullopt, 0);
          if (warp) timesteps.restore(*warp);
          return std::make_shared<LoadedModel>(LoadedModel{std::move(model), statistics, schedule, std::move(timesteps), device});
        },
        [](Napi::Env env, const std::shared_ptr<LoadedModel>& loaded) {
          return ModelWrap::wrap(env, environment(env).model, loaded, count_parameters(loaded->model) * loaded->model.dit.input.weight.element_size());
        });
  });
}

Napi::Value ModelWrap::sample(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    SampleRequest request = to_request({info[0], "request"});
    const AbortFlags::Flag aborted = running_.add(info[1].ToNumber().Int64Value());
    // Held on the JavaScript thread only: freed with the last message.
    auto listener = info[2].IsFunction() ? std::make_shared<Napi::FunctionReference>(Napi::Persistent(info[2].As<Napi::Function>())) : nullptr;
    Executor& executor = environment(env).executor;
    const SampleObserver observe = [&executor, aborted, listener](int64_t evaluation, const Tensor& preview_BL) {
      if (listener) {
        executor.post([aborted, listener, evaluation, preview_BL](Napi::Env env) {
          try {
            listener->Call({Napi::Number::New(env, static_cast<double>(evaluation)), preview_BL.defined() ? from_ids(env, preview_BL) : env.Null()});
          } catch (const Napi::Error&) {
            *aborted = true;  // a listener that throws wants no more
          }
        });
      }
      return !*aborted && !executor.stopping();
    };
    return submit(
        env,
        [=, loaded = native()]() mutable {
          if (request.count > 1) {
            const auto [known, missing] = loaded->together.try_emplace(at::get_num_threads(), 1);
            if (missing) known->second = samples_together(loaded->model);
            request.together = known->second;
          }
          return generate(loaded->model, loaded->schedule, loaded->timesteps, request, observe, &loaded->graphs);
        },
        [](Napi::Env env, const SampleResult& result) {
          auto object = Napi::Object::New(env);
          object.Set("ids", from_ids(env, result.ids_BL));
          object.Set("evaluations", static_cast<double>(result.evaluations));
          return object;
        });
  });
}

Napi::Value ModelWrap::abort(const Napi::CallbackInfo& info) {
  running_.raise(info[0].ToNumber().Int64Value());
  return info.Env().Undefined();
}

Napi::Value ModelWrap::reconstruct(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto encoder = EncoderWrap::Unwrap(info[0].As<Napi::Object>())->native();
    const int64_t layer = info[1].ToNumber().Int64Value();
    const Batch batch = to_batch(info[2], info[3]);
    const double noise = info[4].ToNumber().DoubleValue();
    const auto seed = static_cast<uint64_t>(info[5].ToNumber().Int64Value());
    return submit(info.Env(), [=, loaded = native()] { return reconstruct_ids(*loaded, *encoder, layer, batch, noise, seed); }, from_ids);
  });
}

}  // namespace ldlm::binding
