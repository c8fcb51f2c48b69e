#include "model/pretrained_encoder.h"

#include "io/pretrained_folder.h"
#include "model/bert.h"
#include "model/gpt2.h"
#include "model/pretrained_parameters.h"

namespace ldlm {

std::unique_ptr<PretrainedEncoder> load_pretrained_encoder(const std::string& folder, const PretrainedEncoderConfig& config,
                                                           const at::Device& device) {
  const auto options = at::TensorOptions(at::kFloat).device(device);
  const auto filled = [&](auto network, const PretrainedNaming& naming) {
    fill_from_pretrained(parameters_of(network, ""), read_pretrained_folder(folder), naming, folder);
    return network;
  };
  if (config.family == "gpt2") {
    return std::make_unique<Gpt2Encoder>(filled(Gpt2(config, options), {"transformer.", gpt2_may_skip}));
  }
  if (config.family == "bert") return std::make_unique<BertEncoder>(filled(Bert(config, options), {"bert.", bert_may_skip}));
  TORCH_CHECK_VALUE(false, "encoder family must be gpt2 or bert, got ", config.family);
}

}  // namespace ldlm
