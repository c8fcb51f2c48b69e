// What `ldlm bench` measures inside the process: limits of the machine, ops, where the time goes. No part of training or sampling.
#pragma once

#include <napi.h>

namespace ldlm::binding {

// ({device, dtype, seconds}) -> {linear, mm, bandwidth}
Napi::Value measure_machine_rates(const Napi::CallbackInfo& info);
// ({model, batch, device, repeats}) -> times of every op
Napi::Value bench_ops(const Napi::CallbackInfo& info);
Napi::Value start_profile(const Napi::CallbackInfo& info);
Napi::Value stop_profile(const Napi::CallbackInfo& info);
// (modelConfig) -> {name: shape}
Napi::Value parameter_shapes(const Napi::CallbackInfo& info);

}  // namespace ldlm::binding
