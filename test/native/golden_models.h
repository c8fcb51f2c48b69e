// The small pretrained models of test/golden, with what their config.json says. See test/golden/make_encoder_fixtures.py.
#pragma once

#include "model/pretrained_encoder.h"

namespace ldlm::test {

struct GoldenModel {
  std::string name;
  PretrainedEncoderConfig config;
  std::string folder() const { return std::string(LDLM_GOLDEN_DIR) + "/" + name; }
};

inline PretrainedEncoderConfig small(const std::string& family, const std::string& activation, double epsilon) {
  return {.family = family, .layers = 2, .hidden_width = 16, .heads = 2, .vocabulary = 101, .positions = 24, .feed_forward_width = 24,
          .norm_epsilon = epsilon, .activation = activation, .key_value_heads = 2, .head_width = 8};
}

inline PretrainedEncoderConfig changed(PretrainedEncoderConfig config, const std::function<void(PretrainedEncoderConfig&)>& change) {
  change(config);
  return config;
}

inline const PretrainedEncoderConfig kT5 = changed(small("t5", "relu", 1e-6), [](auto& c) {
  c.head_width = 6, c.relative_buckets = 8, c.relative_distance = 10;
});
inline const PretrainedEncoderConfig kLlama = changed(small("llama", "silu", 1e-6), [](auto& c) {
  c.heads = 4, c.key_value_heads = 2, c.head_width = 4, c.rotary_base = 500;
});

inline const GoldenModel kGpt2 = {
    "gpt2-tiny", {.family = "gpt2", .layers = 3, .hidden_width = 32, .heads = 4, .vocabulary = 101, .positions = 24,
                  .feed_forward_width = 128, .token_types = 0, .norm_epsilon = 1e-5, .activation = "gelu_new"}};
inline const GoldenModel kBert = {
    "bert-tiny", {.family = "bert", .layers = 2, .hidden_width = 32, .heads = 2, .vocabulary = 101, .positions = 24,
                  .feed_forward_width = 96, .token_types = 2, .norm_epsilon = 1e-12, .activation = "gelu"}};

inline const std::vector<GoldenModel> kGoldenModels = {
    kGpt2,
    kBert,
    {"roberta-tiny", changed(small("roberta", "gelu", 1e-5), [](auto& c) { c.token_types = 1, c.padding_id = 1, c.positions = 22; })},
    {"distilbert-tiny", small("distilbert", "gelu", 1e-12)},
    {"mpnet-tiny", changed(small("mpnet", "gelu", 1e-12), [](auto& c) {
       c.padding_id = 1, c.positions = 22, c.relative_buckets = 32, c.relative_distance = 128;
     })},
    {"t5-tiny", kT5},
    {"t5-gated-tiny", changed(kT5, [](auto& c) { c.activation = "gelu_new", c.gated_feed_forward = true; })},
    {"llama-tiny", kLlama},
    {"qwen2-tiny", changed(kLlama, [](auto& c) { c.rotary_base = 10000, c.query_key_value_bias = true; })},
    {"qwen3-tiny", changed(kLlama, [](auto& c) { c.rotary_base = 10000, c.head_width = 8, c.query_key_norm = true; })},
    {"llama3-tiny", changed(kLlama, [](auto& c) {
       c.rotary_base = 16, c.head_width = 8;
       c.rotary_scaling = {.factor = 8, .low_frequency_factor = 0.5, .high_frequency_factor = 2, .original_positions = 16};
     })},
    {"llama-linear-tiny", changed(kLlama, [](auto& c) {
       c.rotary_scaling = {.factor = 4, .low_frequency_factor = 0, .high_frequency_factor = 1, .original_positions = 0};
     })},
};

}  // namespace ldlm::test
