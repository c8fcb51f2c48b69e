// JavaScript values to plain C++ structs and back, on the JavaScript thread. Missing and unknown keys are refused here.
#pragma once

#include <napi.h>

#include <set>

#include "model/pretrained_encoder.h"
#include "train/joint_trainer.h"

namespace ldlm::binding {

// Reads every key of an object exactly once; finish() refuses keys that nobody asked for.
class ObjectReader {
 public:
  ObjectReader(const Napi::Value& value, std::string name);
  double number(const char* key);
  int64_t integer(const char* key);
  bool boolean(const char* key);
  std::string string(const char* key);
  ObjectReader object(const char* key);
  bool is_null(const char* key);  // reads the key only if it is null
  Napi::Value value(const char* key);
  void finish() const;

 private:
  Napi::Object object_;
  std::string name_;
  std::set<std::string> read_;
};

ModelConfig to_model_config(ObjectReader reader);
PretrainedEncoderConfig to_encoder_config(ObjectReader reader);
JointTrainerConfig to_joint_trainer_config(ObjectReader reader);
OptimizerConfig to_optimizer_config(ObjectReader& reader);  // the keys of the optimiser among those of a training
TimestepSampler::State to_timestep_state(ObjectReader reader);
at::ScalarType to_dtype(const std::string& name);  // "float32" | "bfloat16"
at::Device to_device(const std::string& name);

// Copies: ids Int32Array [rows * width] and lengths Int32Array [rows] -> int64 tensors on the CPU.
Batch to_batch(const Napi::Value& ids, const Napi::Value& lengths);

// Copies: Float32Array [rows * width] -> fp32 [rows, width].
Tensor to_matrix(const Napi::Value& value, int64_t width, const char* name);
std::vector<double> to_doubles(const Napi::Value& value);

Napi::Value from_timestep_state(Napi::Env env, const TimestepSampler::State& state);
Napi::Value from_doubles(Napi::Env env, const std::vector<double>& values);  // -> Float64Array
Napi::Value from_ids(Napi::Env env, const Tensor& ids);                      // int64 -> Int32Array, flat
Napi::Value from_floats(Napi::Env env, const Tensor& values);                // fp32 -> Float32Array, flat

}  // namespace ldlm::binding
