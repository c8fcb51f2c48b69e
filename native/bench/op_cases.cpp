#include "bench/op_cases.h"

#include "bench/stopwatch.h"
#include "model/layers.h"
#include "ops/adaln/adaln.h"
#include "ops/attention/attention.h"
#include "ops/gated_add/gated_add.h"
#include "ops/gelu/gelu.h"
#include "ops/linear/linear.h"
#include "ops/philox/philox.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/rotary/rotary.h"
#include "ops/vocabulary/vocabulary.h"

namespace ldlm {

namespace {

constexpr double kEpsilon = 1e-6;

std::string text_of(at::IntArrayRef shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

// Makes the inputs of the cases. The numbers do not change the time.
struct Maker {
  at::TensorOptions options;
  int64_t batch;
  std::vector<OpCase> cases;

  Tensor variable(at::IntArrayRef shape) const { return at::rand(shape, options).sub_(0.5).requires_grad_(true); }

  void linear_of(const char* name, int64_t length, int64_t in, int64_t out, bool bias) {
    const auto rows = static_cast<double>(batch * length), flops = 2 * rows * static_cast<double>(in * out);
    const double bytes = 4 * (rows * static_cast<double>(in + out) + static_cast<double>(in * out));
    const auto run = [](auto* op) { return [op](const std::vector<Tensor>& t) { return op(t[0], t[1], t.size() > 2 ? t[2] : Tensor()); }; };
    std::vector<Tensor> inputs = {variable({batch, length, in}), variable({out, in})};
    if (bias) inputs.push_back(variable({out}));
    const int64_t shape[] = {batch * length, in, out};
    cases.push_back({std::string("linear, ") + name, text_of(shape), inputs, run(ldlm::linear), run(linear_reference), flops, 2 * flops, bytes, 2 * bytes});
  }

  // An op that reads tensors of the size of x and writes one such: `read` in the forward pass, `read_back` in the backward pass.
  void elementwise(const char* name, std::vector<Tensor> inputs, OpCase::Function kernel, OpCase::Function reference, double read, double read_back) {
    const double bytes = 4 * static_cast<double>(inputs[0].numel());
    cases.push_back({name, text_of(inputs[0].sizes()), inputs, std::move(kernel), std::move(reference), 0, 0, (read + 1) * bytes, (read_back + 1) * bytes});
  }
};

void add_linears(Maker& make, const ModelConfig& c) {
  make.linear_of("DiT qkv", c.latents, c.dit.width, 3 * c.dit.width, true);
  make.linear_of("DiT up", c.latents, c.dit.width, 4 * c.dit.width, true);
  make.linear_of("DiT down", c.latents, 4 * c.dit.width, c.dit.width, true);
  make.linear_of("token head", c.max_length, c.hidden_width, c.vocabulary, false);
}

void add_norms_and_gates(Maker& make, const ModelConfig& c) {
  const auto adaln_of = [](auto* op) { return [op](const std::vector<Tensor>& t) { return op(t[0], t[1], t[2], kEpsilon); }; };
  const Tensor x = make.variable({make.batch, c.latents, c.dit.width});
  make.elementwise("adaln", {x, make.variable({make.batch, 1, c.dit.width}), make.variable({make.batch, 1, c.dit.width})}, adaln_of(adaln),
                   adaln_of(adaln_reference), 1, 2);
  const auto gated_of = [](auto* op) { return [op](const std::vector<Tensor>& t) { return op(t[0], t[1], t[2]); }; };
  make.elementwise("gated_add", {x, make.variable({make.batch, 1, c.dit.width}), make.variable({make.batch, c.latents, c.dit.width})}, gated_of(gated_add),
                   gated_of(gated_add_reference), 2, 2);
  const auto norm_of = [](auto* op) { return [op](const std::vector<Tensor>& t) { return op(t[0], t[1], kEpsilon); }; };
  make.elementwise("rms_norm", {make.variable({make.batch, c.max_length, c.hidden_width}), make.variable({c.hidden_width})}, norm_of(rms_norm),
                   norm_of(rms_norm_reference), 1, 2);
}

// Queries as attention sees them: a slice of the fused projection, cut into heads.
void add_head_ops(Maker& make, const ModelConfig& c) {
  const int64_t head_width = c.dit.width / c.dit.heads;
  const auto slice = [&] {
    const Tensor fused = make.variable({make.batch, c.latents, 3 * c.dit.width}).detach();
    return view_heads(fused.narrow(2, 0, c.dit.width), c.dit.heads).requires_grad_(true);
  };
  const auto norm_of = [](auto* op) { return [op](const std::vector<Tensor>& t) { return op(t[0], t[1], kEpsilon); }; };
  make.elementwise("rms_norm, heads", {slice(), make.variable({head_width})}, norm_of(rms_norm), norm_of(rms_norm_reference), 1, 2);
  const RotaryTable table(c.latents, head_width, make.options);
  const auto rotary_of = [&](auto* op) { return [op, table](const std::vector<Tensor>& t) { return op(t[0], table.cos, table.sin); }; };
  make.elementwise("rotary", {slice()}, rotary_of(rotary), rotary_of(rotary_reference), 1, 1);
}

void add_gelu(Maker& make, const ModelConfig& c) {
  const auto of = [](auto* op) { return [op](const std::vector<Tensor>& t) { return op(t[0]); }; };
  make.elementwise("gelu_tanh", {make.variable({make.batch, c.latents, 4 * c.dit.width})}, of(gelu_tanh), of(gelu_tanh_reference), 1, 2);
}

void add_attention(Maker& make, const ModelConfig& c) {
  const auto add = [&](const char* name, int64_t queries, int64_t others, int64_t width, const AttentionOptions& options) {
    std::vector<Tensor> inputs = {make.variable({make.batch, queries, 3 * width})};
    if (others > 0) inputs.push_back(make.variable({make.batch, others, 2 * width}));
    const auto run = [&](auto* op) {
      return [op, options](const std::vector<Tensor>& t) { return op(t[0], t.size() > 1 ? t[1] : Tensor(), options); };
    };
    const double flops = 4 * static_cast<double>(make.batch * queries * (queries + others) * width);
    const double bytes = 4 * static_cast<double>(make.batch * (4 * queries + 2 * others) * width);
    const int64_t shape[] = {make.batch, queries, queries + others, width};
    make.cases.push_back({std::string("attention, ") + name, text_of(shape), inputs, run(attention), run(attention_reference), flops, 2 * flops, bytes, 2 * bytes});
  };
  const auto gains = [&](int64_t width) { return at::ones({width}, make.options); };
  const int64_t dit_head = c.dit.width / c.dit.heads, latent_head = c.latent_width / c.latent_encoder.heads;
  const RotaryTable table(c.latents, dit_head, make.options);
  add("DiT", c.latents, 0, c.dit.width, {.heads = c.dit.heads, .query_gain = gains(dit_head), .key_gain = gains(dit_head), .cos = table.cos, .sin = table.sin});
  add("Perceiver", c.latents, c.max_length, c.latent_width,
      {.heads = c.latent_encoder.heads, .query_gain = gains(latent_head), .key_gain = gains(latent_head)});
  add("causal", c.max_length, 0, c.hidden_width, {.heads = c.token_decoder.heads, .causal = true});
}

// The gradient comes with the loss, so forward and backward are timed as one: the sum of both is what the reference is held against.
void add_vocabulary(Maker& make, const ModelConfig& c) {
  const int64_t rows = make.batch * c.max_length, shape[] = {rows, c.hidden_width, c.vocabulary};
  const Tensor targets = at::randint(c.vocabulary, {rows}, make.options.dtype(at::kLong));
  const auto run = [&](auto* op) {
    return [op, targets](const std::vector<Tensor>& t) {
      const c10::AutoGradMode with_gradients(true);
      return torch::autograd::grad({op(t[0], t[1], targets)}, {t[0], t[1]})[1];
    };
  };
  const std::vector<Tensor> inputs = {make.variable({rows, c.hidden_width}), make.variable({c.vocabulary, c.hidden_width})};
  const double flops = 6 * static_cast<double>(rows * c.hidden_width * c.vocabulary);
  make.cases.push_back({"vocabulary_cross_entropy, forward and backward", text_of(shape), inputs, run(vocabulary_cross_entropy),
                        run(vocabulary_cross_entropy_reference), flops, 0, 0, 0});
  make.cases.back().differentiable = false;
}

// Noise has no reference: a generator by counter and libtorch's generator give other numbers. The latter is what it is compared with.
void add_noise(Maker& make, const ModelConfig& c) {
  const int64_t shape[] = {c.latents, c.latent_width};
  const at::Device device = make.options.device();
  const auto ours = [=, rows = make.batch](const std::vector<Tensor>&) {
    return philox_normal({0, RandomPurpose::kDiffusionNoise, 0}, 0, rows, shape, device);
  };
  make.elementwise("philox_normal, against randn", {at::empty({make.batch, shape[0], shape[1]}, make.options)}, ours,
                   [](const std::vector<Tensor>& t) { return at::randn_like(t[0]); }, 0, 0);
  make.cases.back().differentiable = false;
}

// Times `work` and adds the result to `wall` and `cpu`, unless it is a warm-up.
void time_once(const at::Device& device, bool counts, const std::function<void()>& work, std::vector<double>& wall, std::vector<double>& cpu) {
  const double before = cpu_milliseconds(CLOCK_PROCESS_CPUTIME_ID), ms = milliseconds(device, work);
  if (!counts) return;
  wall.push_back(ms);
  cpu.push_back(cpu_milliseconds(CLOCK_PROCESS_CPUTIME_ID) - before);
}

void time_backward(const OpCase& op_case, const OpCase::Function& op, bool counts, std::vector<double>& wall, std::vector<double>& cpu) {
  torch::autograd::variable_list variables;
  for (const Tensor& input : op_case.inputs) {
    if (input.requires_grad()) variables.push_back(input);
  }
  const Tensor y = op(op_case.inputs), dy = at::ones_like(y);
  synchronize(y.device());
  time_once(y.device(), counts, [&] { torch::autograd::grad({y}, variables, {dy}); }, wall, cpu);
}

}  // namespace

std::vector<OpCase> op_cases(const ModelConfig& config, int64_t batch, const at::Device& device) {
  Maker make = {at::TensorOptions(at::kFloat).device(device), batch, {}};
  add_linears(make, config);
  add_norms_and_gates(make, config);
  add_head_ops(make, config);
  add_gelu(make, config);
  add_attention(make, config);
  add_vocabulary(make, config);
  add_noise(make, config);
  return make.cases;
}

OpTimes time_op(const OpCase& op_case, int64_t repeats) {
  const at::Device device = op_case.inputs[0].device();
  OpTimes times = {op_case.op, op_case.shape, {{}, {}, {}, {}, op_case.forward_flops, op_case.forward_bytes}, {}};
  if (op_case.differentiable) times.backward = PassTimes{{}, {}, {}, {}, op_case.backward_flops, op_case.backward_bytes};
  constexpr int64_t kWarmUp = 3;
  for (int64_t i = -kWarmUp; i < repeats; ++i) {
    {
      const at::NoGradGuard no_grad;
      PassTimes& pass = times.forward;
      time_once(device, i >= 0, [&] { op_case.kernel(op_case.inputs); }, pass.kernel_ms, pass.kernel_cpu_ms);
      time_once(device, i >= 0, [&] { op_case.reference(op_case.inputs); }, pass.reference_ms, pass.reference_cpu_ms);
    }
    if (!times.backward) continue;
    time_backward(op_case, op_case.kernel, i >= 0, times.backward->kernel_ms, times.backward->kernel_cpu_ms);
    time_backward(op_case, op_case.reference, i >= 0, times.backward->reference_ms, times.backward->reference_cpu_ms);
  }
  return times;
}

}  // namespace ldlm
