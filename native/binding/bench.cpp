#include "binding/bench.h"

#include "bench/machine_rates.h"
#include "bench/op_cases.h"
#include "bench/profiler.h"
#include "binding/convert.h"
#include "binding/submit.h"

namespace ldlm::binding {

namespace {

template <typename Item>
Napi::Value list_of(Napi::Env env, const std::vector<Item>& items, Napi::Object (*to_js)(Napi::Env, const Item&)) {
  auto array = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); ++i) array.Set(i, to_js(env, items[i]));
  return array;
}

Napi::Object from_pass_times(Napi::Env env, const PassTimes& times) {
  auto object = Napi::Object::New(env);
  object.Set("kernelMs", from_doubles(env, times.kernel_ms));
  object.Set("referenceMs", from_doubles(env, times.reference_ms));
  object.Set("kernelCpuMs", from_doubles(env, times.kernel_cpu_ms));
  object.Set("referenceCpuMs", from_doubles(env, times.reference_cpu_ms));
  object.Set("flops", times.flops);
  object.Set("bytes", times.bytes);
  return object;
}

Napi::Object from_op_times(Napi::Env env, const OpTimes& times) {
  auto object = Napi::Object::New(env);
  object.Set("op", times.op);
  object.Set("shape", times.shape);
  object.Set("forward", from_pass_times(env, times.forward));
  object.Set("backward", times.backward ? from_pass_times(env, *times.backward) : env.Null());
  return object;
}

Napi::Object from_profile_entry(Napi::Env env, const ProfileEntry& entry) {
  auto object = Napi::Object::New(env);
  object.Set("module", entry.module);
  object.Set("op", entry.op);
  object.Set("backward", entry.backward);
  object.Set("calls", static_cast<double>(entry.calls));
  object.Set("selfMs", entry.self_ms);
  object.Set("cpuMs", entry.cpu_ms);
  object.Set("flops", entry.flops);
  return object;
}

}  // namespace

Napi::Value measure_machine_rates(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    ObjectReader reader(info[0], "limits");
    const at::Device device = to_device(reader.string("device"));
    const at::ScalarType dtype = to_dtype(reader.string("dtype"));
    const double seconds = reader.number("seconds");
    reader.finish();
    return submit(
        info.Env(), [=] { return ldlm::measure_machine_rates(device, dtype, seconds); },
        [](Napi::Env env, const MachineRates& rates) {
          auto object = Napi::Object::New(env);
          object.Set("linear", rates.linear);
          object.Set("mm", rates.mm);
          object.Set("bandwidth", rates.bandwidth);
          object.Set("core", rates.core);
          return object;
        });
  });
}

Napi::Value bench_ops(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    ObjectReader reader(info[0], "ops");
    const ModelConfig config = to_model_config(reader.object("model"));
    const int64_t batch = reader.integer("batch"), repeats = reader.integer("repeats");
    const at::Device device = to_device(reader.string("device"));
    reader.finish();
    return submit(
        info.Env(),
        [=] {
          std::vector<OpTimes> times;
          for (const OpCase& op_case : op_cases(config, batch, device)) times.push_back(time_op(op_case, repeats));
          return times;
        },
        [](Napi::Env env, const std::vector<OpTimes>& times) { return list_of(env, times, from_op_times); });
  });
}

Napi::Value start_profile(const Napi::CallbackInfo& info) {
  return submit(info.Env(), [] { ldlm::start_profile(); });
}

Napi::Value stop_profile(const Napi::CallbackInfo& info) {
  return submit(
      info.Env(), [] { return ldlm::stop_profile(); },
      [](Napi::Env env, const std::vector<ProfileEntry>& entries) { return list_of(env, entries, from_profile_entry); });
}

Napi::Value parameter_shapes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    LDLM model(to_model_config({info[0], "model"}), at::TensorOptions(at::kMeta));
    auto shapes = Napi::Object::New(info.Env());
    model.visit("", [&](const std::string& name, Tensor& parameter) {
      auto shape = Napi::Array::New(info.Env());
      for (int64_t i = 0; i < parameter.dim(); ++i) shape.Set(static_cast<uint32_t>(i), static_cast<double>(parameter.size(i)));
      shapes.Set(name, shape);
    });
    return shapes;
  });
}

}  // namespace ldlm::binding
