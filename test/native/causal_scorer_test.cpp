// The scorer against the states and the loss of Hugging Face transformers, see test/golden/make_scorer_fixture.py.
#include "score/causal_scorer.h"

#include "io/pretrained_folder.h"
#include "support.h"
#include "temporary_folder.h"

namespace ldlm {
namespace {

const std::string kFolder = std::string(LDLM_GOLDEN_DIR) + "/gpt2-tiny";
const PretrainedEncoderConfig kTiny{.family = "gpt2", .layers = 3, .hidden_width = 32, .heads = 4, .vocabulary = 101, .positions = 24,
                                    .feed_forward_width = 128, .token_types = 0, .norm_epsilon = 1e-5, .activation = "gelu_new"};

TEST(CausalScorer, LogLikelihoodsAndLastHiddenStateEqualHuggingFace) {
  const TensorMap expected = read_safetensors(kFolder + "/scores.safetensors");
  const auto scores = load_causal_scorer(kFolder, kTiny, at::kCPU).score(expected.at("ids"), expected.at("lengths"));
  EXPECT_LT(test::max_difference(scores.log_likelihoods_BL, expected.at("log_likelihoods")), 2e-5);
  EXPECT_LT(test::max_difference(scores.last_hidden_BC, expected.at("last_hidden")), 2e-5);
}

TEST(CausalScorer, MoreTokensThanTheHeadTakesAtOnceGiveTheSame) {
  const TensorMap expected = read_safetensors(kFolder + "/scores.safetensors");
  const CausalScorer scorer = load_causal_scorer(kFolder, kTiny, at::kCPU);
  const auto once = scorer.score(expected.at("ids"), expected.at("lengths"));
  const auto often = scorer.score(expected.at("ids").repeat({40, 1}), expected.at("lengths").repeat({40}));  // 1040 tokens to score
  EXPECT_LT(test::max_difference(often.log_likelihoods_BL, once.log_likelihoods_BL.repeat({40, 1})), 1e-5);
}

TEST(CausalScorer, ARowOfOneTokenHasNothingToScore) {
  const auto scores = load_causal_scorer(kFolder, kTiny, at::kCPU).score(at::tensor({7}).view({1, 1}), at::tensor({1}));
  EXPECT_EQ(scores.log_likelihoods_BL.item<float>(), 0.0f);
  EXPECT_EQ(scores.last_hidden_BC.sizes(), (std::vector<int64_t>{1, 32}));
}

TEST(CausalScorer, RefusesAnotherHeadAnotherFamilyAndEmptyRows) {
  const test::TemporaryFolder folder;
  TensorMap tensors = read_pretrained_folder(kFolder);
  tensors["lm_head.weight"] = tensors.at("transformer.wte.weight").clone();
  write_safetensors(folder / "model.safetensors", tensors, {});
  EXPECT_NO_THROW(load_causal_scorer(folder.path(), kTiny, at::kCPU));
  tensors["lm_head.weight"][0][0] += 1.0;
  write_safetensors(folder / "model.safetensors", tensors, {});
  EXPECT_THROW(load_causal_scorer(folder.path(), kTiny, at::kCPU), IoError);
  PretrainedEncoderConfig bert = kTiny;
  bert.family = "bert";
  EXPECT_THROW(load_causal_scorer(kFolder, bert, at::kCPU), c10::ValueError);
  const CausalScorer scorer = load_causal_scorer(kFolder, kTiny, at::kCPU);
  EXPECT_THROW(scorer.score(at::zeros({1, 2}, at::kLong), at::tensor({0})), c10::ValueError);
  EXPECT_THROW(scorer.score(at::full({1, 2}, 101, at::kLong), at::tensor({2})), c10::ValueError);
  EXPECT_THROW(scorer.score(at::zeros({1, 25}, at::kLong), at::tensor({25})), c10::ValueError);
}

TEST(CausalScorer, WeightsThatAreNotNumbersAreNoSilentNaN) {
  const test::TemporaryFolder folder;
  TensorMap tensors = read_pretrained_folder(kFolder);
  tensors["transformer.ln_f.bias"] = tensors.at("transformer.ln_f.bias").clone().fill_(std::nan(""));
  write_safetensors(folder / "model.safetensors", tensors, {});
  EXPECT_THROW(load_causal_scorer(folder.path(), kTiny, at::kCPU).score(at::zeros({1, 2}, at::kLong), at::tensor({2})), c10::Error);
}

}  // namespace
}  // namespace ldlm
