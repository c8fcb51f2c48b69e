#include "binding/convert.h"

#include <cmath>
#include <cstring>

namespace ldlm::binding {

ObjectReader::ObjectReader(const Napi::Value& value, std::string name) : name_(std::move(name)) {
  TORCH_CHECK_TYPE(value.IsObject(), name_, " must be an object");
  object_ = value.As<Napi::Object>();
}

Napi::Value ObjectReader::value(const char* key) {
  TORCH_CHECK_VALUE(object_.Has(key), name_, ".", key, " is missing");
  read_.insert(key);
  return object_.Get(key);
}

double ObjectReader::number(const char* key) {
  const Napi::Value found = value(key);
  TORCH_CHECK_TYPE(found.IsNumber(), name_, ".", key, " must be a number");
  return found.As<Napi::Number>().DoubleValue();
}

int64_t ObjectReader::integer(const char* key) {
  const double found = number(key);
  TORCH_CHECK_VALUE(std::floor(found) == found && std::abs(found) <= 9007199254740991.0, name_, ".", key, " must be an integer, got ", found);
  return static_cast<int64_t>(found);
}

bool ObjectReader::boolean(const char* key) {
  const Napi::Value found = value(key);
  TORCH_CHECK_TYPE(found.IsBoolean(), name_, ".", key, " must be true or false");
  return found.As<Napi::Boolean>().Value();
}

std::string ObjectReader::string(const char* key) {
  const Napi::Value found = value(key);
  TORCH_CHECK_TYPE(found.IsString(), name_, ".", key, " must be a string");
  return found.As<Napi::String>().Utf8Value();
}

ObjectReader ObjectReader::object(const char* key) { return {value(key), name_ + "." + key}; }

bool ObjectReader::is_null(const char* key) {
  TORCH_CHECK_VALUE(object_.Has(key), name_, ".", key, " is missing");
  if (!object_.Get(key).IsNull()) return false;
  read_.insert(key);
  return true;
}

void ObjectReader::finish() const {
  const Napi::Array keys = object_.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    const std::string key = Napi::Value(keys[i]).As<Napi::String>();
    TORCH_CHECK_VALUE(read_.contains(key), name_, ".", key, " is not a known key");
  }
}

namespace {

StackConfig to_stack(ObjectReader reader) {
  const StackConfig config = {reader.integer("layers"), reader.integer("heads")};
  reader.finish();
  return config;
}

DitConfig to_dit(ObjectReader reader) {
  const DitConfig config = {reader.integer("layers"), reader.integer("width"), reader.integer("heads")};
  reader.finish();
  return config;
}

EncoderWarmup to_warmup(ObjectReader reader) {
  const EncoderWarmup config = {reader.number("steps"), reader.number("k"), reader.number("c"), reader.number("min"), reader.number("max")};
  reader.finish();
  return config;
}

AdaptiveTimesteps to_adaptive(ObjectReader reader) {
  const AdaptiveTimesteps config = {reader.integer("bins"), reader.number("decay"), reader.integer("every"), reader.number("floor")};
  reader.finish();
  return config;
}

double to_loss_weighting(ObjectReader reader) {
  const double floor = reader.number("floor");
  reader.finish();
  return floor;
}

RecipeConfig to_recipe(ObjectReader reader) {
  RecipeConfig config;
  const std::string loss = reader.string("decoderLoss");
  TORCH_CHECK_VALUE(loss == "mse" || loss == "cross-entropy", "recipe.decoderLoss must be mse or cross-entropy, got ", loss);
  config.hidden_mse = loss == "mse";
  if (!reader.is_null("encoderWarmup")) config.encoder_warmup = to_warmup(reader.object("encoderWarmup"));
  if (!reader.is_null("adaptiveTimesteps")) config.adaptive_timesteps = to_adaptive(reader.object("adaptiveTimesteps"));
  config.decoder_noise = reader.number("decoderNoise");
  config.stopped_target = reader.boolean("stoppedTarget");
  if (!reader.is_null("lossWeighting")) config.loss_weighting = to_loss_weighting(reader.object("lossWeighting"));
  reader.finish();
  return config;
}

MuonConfig to_muon(ObjectReader reader) {
  const MuonConfig config = {reader.number("lrScale"), reader.number("momentum")};
  reader.finish();
  return config;
}

}  // namespace

OptimizerConfig to_optimizer_config(ObjectReader& reader) {
  OptimizerConfig config = {reader.number("beta1"), reader.number("beta2"), reader.number("eps"), reader.number("weightDecay"), reader.number("clip"), {}};
  if (!reader.is_null("muon")) config.muon = to_muon(reader.object("muon"));
  return config;
}

namespace {

TrainConfig to_train(ObjectReader reader) {
  TrainConfig config;
  config.steps = reader.integer("steps");
  config.batch = reader.integer("batch");
  config.accumulate = reader.integer("accumulate");
  config.warmup_steps = reader.integer("warmupSteps");
  config.cooldown_steps = reader.integer("cooldownSteps");
  config.lr = reader.number("lr");
  config.optimizer = to_optimizer_config(reader);
  config.ema = reader.number("ema");
  config.seed = static_cast<uint64_t>(reader.integer("seed"));
  config.bfloat16 = reader.boolean("bfloat16");
  config.recompute = reader.boolean("recompute");
  reader.finish();
  return config;
}

Tensor to_int64(const Napi::Value& value, const char* name) {
  TORCH_CHECK_TYPE(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array, name, " must be an Int32Array");
  auto array = value.As<Napi::Int32Array>();
  // Copied: JavaScript may move or free its memory while the executor works.
  return at::from_blob(array.Data(), {static_cast<int64_t>(array.ElementLength())}, at::kInt).to(at::kLong);
}

}  // namespace

std::vector<double> to_doubles(const Napi::Value& value) {
  TORCH_CHECK_TYPE(value.IsArray(), "a list of numbers must be an array");
  const auto array = value.As<Napi::Array>();
  std::vector<double> values(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) values[i] = Napi::Value(array[i]).ToNumber().DoubleValue();
  return values;
}

Tensor to_matrix(const Napi::Value& value, int64_t width, const char* name) {
  TORCH_CHECK_TYPE(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array, name, " must be a Float32Array");
  auto array = value.As<Napi::Float32Array>();
  const auto size = static_cast<int64_t>(array.ElementLength());
  TORCH_CHECK_VALUE(width >= 1 && size % width == 0, name, " must hold whole rows of ", width, " numbers, got ", size);
  return at::from_blob(array.Data(), {size / width, width}, at::kFloat).clone();
}

ModelConfig to_model_config(ObjectReader reader) {
  const ModelConfig config = {reader.integer("maxLength"),
                              reader.integer("latents"),
                              reader.integer("latentWidth"),
                              reader.integer("hiddenWidth"),
                              reader.integer("vocabulary"),
                              to_stack(reader.object("latentEncoder")),
                              to_stack(reader.object("latentDecoder")),
                              to_stack(reader.object("tokenDecoder")),
                              to_dit(reader.object("dit")),
                              reader.boolean("freeScale"),
                              reader.number("stagger")};
  reader.finish();
  return config;
}

namespace {

RotaryScaling to_rotary_scaling(ObjectReader reader) {
  const RotaryScaling scaling = {reader.number("factor"), reader.number("lowFrequencyFactor"), reader.number("highFrequencyFactor"),
                                 reader.integer("originalPositions")};
  reader.finish();
  return scaling;
}

}  // namespace

PretrainedEncoderConfig to_encoder_config(ObjectReader reader) {
  PretrainedEncoderConfig config;
  config.family = reader.string("family");
  config.layers = reader.integer("layers");
  config.hidden_width = reader.integer("hiddenWidth");
  config.heads = reader.integer("heads");
  config.vocabulary = reader.integer("vocabulary");
  config.positions = reader.integer("positions");
  config.feed_forward_width = reader.integer("feedForwardWidth");
  config.token_types = reader.integer("tokenTypes");
  config.norm_epsilon = reader.number("normEpsilon");
  config.activation = reader.string("activation");
  config.padding_id = reader.integer("paddingId");
  config.key_value_heads = reader.integer("keyValueHeads");
  config.head_width = reader.integer("headWidth");
  config.relative_buckets = reader.integer("relativeBuckets");
  config.relative_distance = reader.integer("relativeDistance");
  config.rotary_base = reader.number("rotaryBase");
  if (!reader.is_null("rotaryScaling")) config.rotary_scaling = to_rotary_scaling(reader.object("rotaryScaling"));
  config.gated_feed_forward = reader.boolean("gatedFeedForward");
  config.query_key_value_bias = reader.boolean("queryKeyValueBias");
  config.query_key_norm = reader.boolean("queryKeyNorm");
  reader.finish();
  return config;
}

JointTrainerConfig to_joint_trainer_config(ObjectReader reader) {
  const JointTrainerConfig config = {to_model_config(reader.object("model")),   reader.integer("encoderLayer"),
                                     reader.number("scheduleD"),                reader.number("selfConditioning"),
                                     to_recipe(reader.object("recipe")),        to_train(reader.object("train"))};
  reader.finish();
  return config;
}

TimestepSampler::State to_timestep_state(ObjectReader reader) {
  TimestepSampler::State state;
  state.loss_sum = to_doubles(reader.value("lossSum"));
  state.weight_sum = to_doubles(reader.value("weightSum"));
  state.cumulative = to_doubles(reader.value("cumulative"));
  reader.finish();
  return state;
}

at::ScalarType to_dtype(const std::string& name) {
  TORCH_CHECK_VALUE(name == "float32" || name == "bfloat16", "the dtype must be float32 or bfloat16, got ", name);
  return name == "float32" ? at::kFloat : at::kBFloat16;
}

at::Device to_device(const std::string& name) {
  TORCH_CHECK_VALUE(name == "cpu" || name == "cuda", "the device must be cpu or cuda, got ", name);
  if (name == "cpu") return at::Device(at::kCPU);
  TORCH_CHECK_VALUE(at::hasCUDA(), "device cuda needs an addon built with CUDA and a GPU; `ldlm doctor` says what is missing");
  return at::Device(at::kCUDA, 0);
}

Batch to_batch(const Napi::Value& ids, const Napi::Value& lengths) {
  const Tensor lengths_B = to_int64(lengths, "lengths");
  const int64_t rows = lengths_B.size(0);
  const Tensor flat = to_int64(ids, "ids");
  TORCH_CHECK_VALUE(rows > 0 && flat.size(0) % rows == 0, "ids must hold a whole number of tokens for each of the ", rows, " rows, got ", flat.size(0));
  const int64_t width = flat.size(0) / rows;
  TORCH_CHECK_VALUE(lengths_B.ge(1).all().item<bool>() && lengths_B.le(width).all().item<bool>(), "every length must be 1 to ", width);
  return {flat.view({rows, width}), lengths_B};
}

Napi::Value from_doubles(Napi::Env env, const std::vector<double>& values) {
  auto array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Value from_ids(Napi::Env env, const Tensor& ids) {
  const Tensor flat = ids.to(at::kInt).contiguous();
  auto array = Napi::Int32Array::New(env, static_cast<size_t>(flat.numel()));
  std::memcpy(array.Data(), flat.const_data_ptr<int32_t>(), flat.nbytes());
  return array;
}

Napi::Value from_floats(Napi::Env env, const Tensor& values) {
  const Tensor flat = values.to(at::kFloat).contiguous();
  auto array = Napi::Float32Array::New(env, static_cast<size_t>(flat.numel()));
  std::memcpy(array.Data(), flat.const_data_ptr<float>(), flat.nbytes());
  return array;
}

Napi::Value from_timestep_state(Napi::Env env, const TimestepSampler::State& state) {
  auto object = Napi::Object::New(env);
  object.Set("lossSum", from_doubles(env, state.loss_sum));
  object.Set("weightSum", from_doubles(env, state.weight_sum));
  object.Set("cumulative", from_doubles(env, state.cumulative));
  return object;
}

}  // namespace ldlm::binding
