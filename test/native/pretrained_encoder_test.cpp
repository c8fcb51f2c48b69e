// The frozen encoders against the hidden states that Hugging Face gives, see test/golden/make_encoder_fixtures.py.
#include "model/pretrained_encoder.h"

#include <cmath>
#include <thread>

#include "golden_models.h"
#include "io/pretrained_folder.h"
#include "support.h"
#include "temporary_folder.h"

namespace ldlm {
namespace {

using test::GoldenModel, test::kBert, test::kGoldenModels, test::kGpt2;

std::unique_ptr<PretrainedEncoder> load(const std::string& folder, const PretrainedEncoderConfig& config) {
  return load_pretrained_encoder(folder, config, at::kCPU);
}

std::unique_ptr<PretrainedEncoder> load(const GoldenModel& model) { return load(model.folder(), model.config); }

TensorMap expected_of(const GoldenModel& model) { return read_safetensors(model.folder() + "/expected.safetensors"); }

// Largest absolute difference at real positions.
double difference(const Tensor& found, const Tensor& expected, const Tensor& lengths) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  EXPECT_TRUE(at::isfinite(found).all().item<bool>());
  const Tensor real = at::arange(found.size(1)).unsqueeze(0) < lengths.unsqueeze(1);
  return test::max_difference(found.index({real}), expected.index({real}));
}

double worst_difference(const PretrainedEncoder& encoder, const TensorMap& expected, int64_t layers) {
  double worst = 0;
  for (int64_t layer = 0; layer <= layers; ++layer) {
    const Tensor& state = expected.at("hidden_" + std::to_string(layer));
    for (const int64_t index : {layer, layer - layers - 1}) {
      worst = std::max(worst, difference(encoder.hidden(expected.at("ids"), expected.at("lengths"), index), state, expected.at("lengths")));
    }
  }
  return worst;
}

// Writes the tensors of a golden model, changed, as another model; the rest of a folder is not read.
std::string save_changed(const test::TemporaryFolder& folder, const std::string& source, const std::function<void(TensorMap&)>& change) {
  TensorMap tensors = read_pretrained_folder(source);
  change(tensors);
  write_safetensors(folder / "model.safetensors", tensors, {});
  return folder.path();
}

TEST(PretrainedEncoder, EveryLayerEqualsHuggingFace) {
  for (const auto& model : kGoldenModels) {
    const double worst = worst_difference(*load(model), expected_of(model), model.config.layers);
    RecordProperty(model.name + "_difference_in_1e-9", std::to_string(std::llround(worst * 1e9)));
    EXPECT_LT(worst, 1e-5) << model.name;
  }
}

TEST(PretrainedEncoder, GivesARowTheSameStatesWhateverIsBehindItAndBesideIt) {
  for (const auto& model : kGoldenModels) {
    const auto encoder = load(model);
    const TensorMap expected = expected_of(model);
    const Tensor ids = expected.at("ids"), lengths = expected.at("lengths");
    for (int64_t row = 0; row < ids.size(0); ++row) {
      const int64_t length = lengths[row].item<int64_t>();
      const Tensor alone = encoder->hidden(ids[row].narrow(0, 0, length).unsqueeze(0), lengths[row].unsqueeze(0), -1)[0];
      EXPECT_LT(test::max_difference(alone, expected.at("hidden_" + std::to_string(model.config.layers))[row].narrow(0, 0, length)), 1e-5)
          << model.name;
    }
  }
}

TEST(PretrainedEncoder, NeedsAllItsParametersAndNamesATensorThatItDoesNotKnow) {
  for (const auto& model : kGoldenModels) {
    const test::TemporaryFolder empty, full;
    save_changed(empty, model.folder(), [](TensorMap& tensors) { tensors = {{"x", at::ones({2})}}; });
    const std::string missing = test::error_of<IoError>([&] { load(empty.path(), model.config); });  // "... missing: a, b, c, d, e, f and 13 more"
    EXPECT_NE(missing.find("missing: "), std::string::npos) << missing;
    EXPECT_GE(6 + std::stoi(missing.substr(missing.rfind(" and ") + 5)), 3 + 8 * model.config.layers) << model.name;
    save_changed(full, model.folder(), [](TensorMap& tensors) { tensors["encoder.adapter.weight"] = at::ones({2}); });
    EXPECT_FILE_ERROR(load(full.path(), model.config), "unknown: encoder.adapter.weight");
  }
}

TEST(PretrainedEncoder, ReadsHalfPrecisionFilesOldNamesAndUnusedParts) {
  for (const auto& model : {kGpt2, kBert}) {
    const std::string source = model.folder();
    const auto& config = model.config;
    const bool is_gpt2 = config.family == "gpt2";
    const std::string prefix = is_gpt2 ? "transformer." : "bert.";
    for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
      const test::TemporaryFolder folder;
      save_changed(folder, source, [&](TensorMap& tensors) {
        TensorMap renamed;
        for (auto& [name, tensor] : tensors) {
          // The prefix that the golden file has goes, the one that it lacks comes.
          std::string other = name.starts_with(prefix) ? name.substr(prefix.size()) : prefix + name;
          if (const auto at = other.find("LayerNorm.weight"); at != std::string::npos) other.replace(at, 16, "LayerNorm.gamma");
          if (const auto at = other.find("LayerNorm.bias"); at != std::string::npos) other.replace(at, 14, "LayerNorm.beta");
          renamed[other] = tensor.to(dtype);
        }
        tensors = renamed;
        if (is_gpt2) {
          tensors["h.0.attn.bias"] = at::ones({1, 1, 24, 24}, at::kByte);
          tensors["h.0.attn.masked_bias"] = at::scalar_tensor(-1e4);
          tensors["lm_head.weight"] = at::ones({101, 32});
        } else {
          tensors["bert.embeddings.position_ids"] = at::arange(24);
          tensors["cls.predictions.bias"] = at::ones({101});
        }
      });
      const double bound = dtype == at::kFloat ? 1e-5 : dtype == at::kHalf ? 2e-2 : 2e-1;
      EXPECT_LT(worst_difference(*load(folder.path(), config), expected_of(model), config.layers), bound)
          << config.family << " " << dtype;
    }
  }
}

TEST(PretrainedEncoder, NamesWhatAFileLacksOrHasTooMuch) {
  const auto error_after = [](const GoldenModel& model, const std::function<void(TensorMap&)>& change) {
    const test::TemporaryFolder folder;
    save_changed(folder, model.folder(), change);
    return test::error_of<IoError>([&] { load(folder.path(), model.config); });
  };
  const auto holds = [](const std::string& message, const std::string& part) { return message.find(part) != std::string::npos; };
  EXPECT_TRUE(holds(error_after(kGpt2, [](TensorMap& t) { t.erase("transformer.h.1.ln_2.bias"); }), "missing: h.1.ln_2.bias"));
  EXPECT_TRUE(holds(error_after(kGpt2, [](TensorMap& t) { t["transformer.h.9.x"] = at::ones({2}); }), "unknown: h.9.x"));
  EXPECT_TRUE(holds(error_after(kGpt2, [](TensorMap& t) { t["wte.weight"] = t["transformer.wte.weight"]; }), "must come once"));
  EXPECT_TRUE(holds(error_after(kBert, [](TensorMap& t) { t["encoder.layer.0.output.dense.weight"] = at::ones({2, 3}); }),
                    "encoder.layer.0.output.dense.weight must be float [32, 96] by config.json, got Float [2, 3]"));
  EXPECT_TRUE(holds(error_after(kBert, [](TensorMap& t) { t["embeddings.LayerNorm.bias"] = at::ones({32}, at::kLong); }),
                    "must be float [32]"));
}

TEST(PretrainedEncoder, RefusesABrokenFolder) {
  const test::TemporaryFolder folder;
  const std::string index = folder / "model.safetensors.index.json";
  const auto load_index = [&](const std::string& json) {
    test::write_file(index, json);
    load(folder.path(), kBert.config);
  };
  EXPECT_FILE_ERROR(load(folder.path(), kBert.config), "must hold model.safetensors or model.safetensors.index.json");
  EXPECT_FILE_ERROR(load_index("{}"), "weight_map must name at least one tensor");
  EXPECT_FILE_ERROR(load_index(R"({"weight_map": {"a": "../x.safetensors"}})"), "a shard must be a file beside the index");
  EXPECT_FILE_ERROR(load_index(R"({"weight_map": {"a": "..", "a": "x"}})"), "a shard must be a file beside the index");
  write_safetensors(folder / "x", {{"a", at::ones({1})}, {"b", at::ones({1})}}, {});
  EXPECT_FILE_ERROR(load_index(R"({"weight_map": {"a": "x"}})"), "must name x as the file of tensor b");
  EXPECT_FILE_ERROR(load_index(R"({"weight_map": {"a": "x", "b": "x", "c": "x"}})"), "must hold tensor c");
  PretrainedEncoderConfig other = kBert.config;
  other.family = "mamba";
  EXPECT_ERROR(load(folder.path(), other), "family must be one of gpt2, bert, roberta, distilbert, mpnet, t5, llama, got mamba");
  other = kBert.config;
  other.activation = "tanh";
  EXPECT_ERROR(load(folder.path(), other), "activation must be gelu, gelu_new, relu or silu, got tanh");
}

TEST(PretrainedEncoder, RefusesTokensThatItCannotKnow) {
  for (const auto& model : kGoldenModels) {
    const auto& config = model.config;
    const auto encoder = load(model);
    const Tensor ids = at::zeros({2, 5}, at::kLong), lengths = at::full({2}, 5, at::kLong);
    EXPECT_ERROR(encoder->hidden(at::full({2, 5}, 101, at::kLong), lengths, 0), "ids must be in 0..100");
    EXPECT_ERROR(encoder->hidden(at::full({2, 5}, -1, at::kLong), lengths, 0), "ids must be in 0..100");
    EXPECT_ERROR(encoder->hidden(at::zeros({2, config.positions + 1}, at::kLong), lengths, 0), "tokens a row (the model's positions)");
    EXPECT_ERROR(encoder->hidden(at::zeros({2, 5}), lengths, 0), "ids must be integers [B, L]");
    EXPECT_ERROR(encoder->hidden(ids.slice(0, 0, 0), lengths.slice(0, 0, 0), 0), "with a row or more");
    EXPECT_ERROR(encoder->hidden(ids, lengths.slice(0, 0, 1), 0), "lengths must be integers [B] = [2]");
    EXPECT_ERROR(encoder->hidden(ids, lengths + 1, 0), "lengths must be in 0..5");
    EXPECT_ERROR(encoder->hidden(ids, lengths, config.layers + 1), "layer must be in");
    EXPECT_ERROR(encoder->hidden(ids, lengths, -config.layers - 2), "layer must be in");
  }
}

TEST(PretrainedEncoder, GivesNoGradientAndFiniteValuesForAnEmptyRow) {
  for (const auto& model : kGoldenModels) {
    const auto encoder = load(model);
    const Tensor h = encoder->hidden(at::ones({2, 5}, at::kLong), at::tensor({0, 5}), -1);
    EXPECT_TRUE(at::isfinite(h).all().item<bool>());
    EXPECT_FALSE(h.requires_grad());
    EXPECT_FALSE(h.is_inference());  // the trainer saves it for its backward pass
  }
}

TEST(PretrainedEncoder, ServesSeveralThreadsAtOnce) {
  for (const auto& model : kGoldenModels) {
    const auto encoder = load(model);
    const TensorMap expected = expected_of(model);
    std::vector<double> worst(4, 1.0);
    std::vector<std::thread> threads;
    for (auto& result : worst) {
      threads.emplace_back([&] {
        result = 0;
        for (int i = 0; i < 20; ++i) result = std::max(result, worst_difference(*encoder, expected, model.config.layers));
      });
    }
    for (auto& thread : threads) thread.join();
    for (const double result : worst) EXPECT_LT(result, 1e-5);
  }
}

}  // namespace
}  // namespace ldlm
