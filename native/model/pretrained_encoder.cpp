#include "model/pretrained_encoder.h"

#include <algorithm>

#include "io/pretrained_folder.h"
#include "model/bert.h"
#include "model/distilbert.h"
#include "model/gpt2.h"
#include "model/llama.h"
#include "model/mpnet.h"
#include "model/pretrained_layers.h"
#include "model/pretrained_parameters.h"
#include "model/roberta.h"
#include "model/t5.h"
#include "ops/recorded.h"

namespace ldlm {
namespace {

// A network of any family behind the interface. Its hidden(ids, lengths, layer) gets checked ids and a layer in 0..layers.
template <typename Network>
class FrozenEncoder final : public PretrainedEncoder {
 public:
  FrozenEncoder(Network network, const PretrainedEncoderConfig& config, const at::Device& device)
      : network_(std::move(network)), config_(config), device_(device) {}

  void check(const Tensor& ids_BL, const Tensor& lengths_B) const override {
    check_tokens(config_.family.c_str(), ids_BL, lengths_B, config_.vocabulary, config_.positions);
  }

  Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const override {
    const RecordedModule record("frozen_lm");
    at::NoGradGuard no_grad;
    check(ids_BL, lengths_B);
    return network_.hidden(ids_BL.to(device_), lengths_B.to(device_), resolve_layer(config_.family.c_str(), layer, config_.layers));
  }

 private:
  Network network_;
  PretrainedEncoderConfig config_;
  at::Device device_;
};

template <typename Network>
std::unique_ptr<PretrainedEncoder> load(const std::string& folder, const PretrainedEncoderConfig& config, const at::Device& device,
                                        const PretrainedNaming& naming) {
  Network network(config, at::TensorOptions(at::kFloat).device(at::kMeta));  // shapes only
  bind_pretrained([&](const ParameterVisitor& visitor) { network.visit("", visitor); }, read_pretrained_folder(folder), naming, folder,
                  device);
  return std::make_unique<FrozenEncoder<Network>>(std::move(network), config, device);
}

struct Family {
  const char* name;
  decltype(&load<Gpt2>) load;
  PretrainedNaming naming;
};
const Family kFamilies[] = {
    {"gpt2", load<Gpt2>, {"transformer.", gpt2_may_skip}},
    {"bert", load<Bert>, {"bert.", bert_may_skip}},
    {"roberta", load<Roberta>, {"roberta.", roberta_may_skip}},
    {"distilbert", load<DistilBert>, {"distilbert.", distilbert_may_skip}},
    {"mpnet", load<MpNet>, {"mpnet.", mpnet_may_skip}},
    {"t5", load<T5>, {"", t5_may_skip}},
    {"llama", load<Llama>, {"model.", llama_may_skip}},
};

}  // namespace

std::unique_ptr<PretrainedEncoder> load_pretrained_encoder(const std::string& folder, const PretrainedEncoderConfig& config,
                                                           const at::Device& device) {
  std::string known;
  for (const auto& family : kFamilies) {
    if (config.family == family.name) return family.load(folder, config, device, family.naming);
    known.append(known.empty() ? "" : ", ").append(family.name);
  }
  TORCH_CHECK_VALUE(false, "encoder family must be one of ", known, ", got ", config.family);
}

}  // namespace ldlm
