// The networks and their gradients against a plain PyTorch implementation, see test/golden/make_ldlm_fixtures.py.
#include "io/safetensors.h"
#include "model/ldlm.h"
#include "support.h"

namespace ldlm {
namespace {

constexpr double kTolerance = 2e-5;  // of the largest number of the tensor (or of 1); 4e-6 was measured
constexpr ModelConfig kTiny = {10, 10, 16, 24, 31, {2, 2}, {2, 4}, {2, 3}, {2, 20, 2}};

struct Golden {
  LDLM model;
  TensorMap io;
};

Golden load_golden(const std::string& name, const ModelConfig& config) {
  const std::string folder = std::string(LDLM_GOLDEN_DIR) + "/" + name;
  LDLM model(config, at::TensorOptions(at::kFloat));
  load_model(model, read_safetensors(folder + "/weights.safetensors"));
  return {std::move(model), read_safetensors(folder + "/io.safetensors")};
}

void expect_close(const Tensor& found, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(found.sizes(), expected.sizes()) << what;
  EXPECT_LT(test::max_difference(found, expected), kTolerance * std::max(1.0, expected.abs().max().item<double>())) << what;
}

using Network = std::function<Tensor(const std::vector<Tensor>& inputs)>;

void expect_parity(const Golden& golden, const std::string& name, const Network& network) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; golden.io.contains(name + ".input_" + std::to_string(i)); ++i) {
    inputs.push_back(golden.io.at(name + ".input_" + std::to_string(i)).clone().requires_grad_());
  }
  ASSERT_FALSE(inputs.empty()) << name;
  const Tensor output = network(inputs);
  expect_close(output.detach(), golden.io.at(name + ".output"), name);
  const auto gradients = torch::autograd::grad({(output * golden.io.at(name + ".output_weights")).sum()}, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string index = std::to_string(i);
    expect_close(gradients[i], golden.io.at(name + ".gradient_" + index), name + ", gradient of input " + index);
  }
}

void expect_parity_of_all(const std::string& folder, const ModelConfig& config) {
  const Golden golden = load_golden(folder, config);
  const LDLM& model = golden.model;
  expect_parity(golden, "latent_encoder", [&](const std::vector<Tensor>& in) { return model.latent_encoder(in[0]); });
  expect_parity(golden, "latent_decoder", [&](const std::vector<Tensor>& in) { return model.latent_decoder(in[0]); });
  expect_parity(golden, "token_decoder", [&](const std::vector<Tensor>& in) { return model.token_decoder(in[0]); });
  expect_parity(golden, "dit", [&](const std::vector<Tensor>& in) { return model.denoise(in[0], in[1], in[2]); });
}

TEST(PyTorchParity, NetworksAndGradientsEqualPyTorch) { expect_parity_of_all("ldlm-tiny", kTiny); }

TEST(PyTorchParity, CompressedNetworksAndGradientsEqualPyTorch) {
  ModelConfig compressed = kTiny;
  compressed.latents = 4;
  expect_parity_of_all("ldlm-compressed", compressed);
}

}  // namespace
}  // namespace ldlm
