// What a frozen LM is loaded from: {folder, config, device}, the argument of every class that has one.
#pragma once

#include "binding/convert.h"

namespace ldlm::binding {

struct PretrainedSource {
  PretrainedSource(const Napi::Value& value, const char* name) : PretrainedSource(ObjectReader(value, name)) {}

  // About the bytes of its weights, for V8.
  int64_t bytes() const { return 4 * config.hidden_width * (config.vocabulary + 12 * config.hidden_width * config.layers); }

  std::string folder;
  PretrainedEncoderConfig config;
  at::Device device;

 private:
  explicit PretrainedSource(ObjectReader reader)
      : folder(reader.string("folder")), config(to_encoder_config(reader.object("config"))), device(to_device(reader.string("device"))) {
    reader.finish();
  }
};

}  // namespace ldlm::binding
