// Pretraining of the small causal LM: recipe, determinism, and that what it saves is a GPT-2.
#include "train/lm_trainer.h"

#include <cmath>

#include "temporary_folder.h"
#include "train/diverged_error.h"

namespace ldlm {
namespace {

const LmConfig kTiny{.layers = 3, .width = 32, .heads = 4, .vocabulary = 101, .positions = 24};
const LmTrainConfig kTrain{.lr = 3e-3,
                           .optimizer = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .clip = 1.0},
                           .warmup_steps = 5,
                           .steps = 100,
                           .seed = 1,
                           .micro_batches = 2,
                           .identity_weight = 0.5,
                           .identity_layer = -3};

struct Rows {
  Tensor ids, lengths;
};

// Each row counts upwards from a random token: easy to learn, and the rows have different lengths.
Rows counting_rows(int64_t rows) {
  auto generator = at::detail::createCPUGenerator(7);
  const Tensor first = at::randint(0, 101, {rows, 1}, generator, at::TensorOptions(at::kLong));
  return {(first + at::arange(12)) % 101, at::randint(2, 13, {rows}, generator, at::TensorOptions(at::kLong))};
}

struct ThreadsGuard {
  explicit ThreadsGuard(int threads) : before(at::get_num_threads()) { at::set_num_threads(threads); }
  ~ThreadsGuard() { at::set_num_threads(before); }
  int before;
};

bool same_parameters(const LmTrainer& a, const LmTrainer& b) {
  CausalLm left = a.model(), right = b.model();
  const auto x = parameters_of(left, ""), y = parameters_of(right, "");
  for (size_t i = 0; i < x.size(); ++i) {
    if (!at::equal(x[i].tensor, y[i].tensor)) return false;
  }
  return true;
}

TEST(LmTrainer, PaddingDoesNotCount) {
  const Rows rows = counting_rows(4);
  const Tensor behind = at::arange(12).unsqueeze(0) >= rows.lengths.unsqueeze(1);
  const Tensor longer = at::cat({rows.ids.masked_fill(behind, 55), at::full({4, 3}, 66, at::kLong)}, 1);
  LmTrainer a(kTiny, kTrain), b(kTiny, kTrain);
  const LmStep x = a.step(rows.ids, rows.lengths), y = b.step(longer.to(at::kInt), rows.lengths.to(at::kInt));
  EXPECT_EQ(x.next_token_loss, y.next_token_loss);
  EXPECT_EQ(x.identity_loss, y.identity_loss);
  EXPECT_TRUE(same_parameters(a, b));
}

TEST(LmTrainer, BothLossesFallOnOneBatch) {
  const Rows rows = counting_rows(8);
  LmTrainer trainer(kTiny, kTrain);
  const LmStep first = trainer.step(rows.ids, rows.lengths);
  EXPECT_NEAR(first.next_token_loss, std::log(101.0), 0.3);  // it starts near the uniform distribution
  LmStep last = first;
  for (int i = 1; i < 100; ++i) last = trainer.step(rows.ids, rows.lengths);
  EXPECT_LT(last.next_token_loss, 0.5);
  EXPECT_LT(last.identity_loss, 0.1);
  EXPECT_EQ(last.identity_accuracy, 1.0);
  EXPECT_EQ(trainer.steps_done(), 100);
}

TEST(LmTrainer, IsBitwiseTheSameForAnyNumberOfThreads) {
  // Wide enough for libtorch to share single operators out among threads where it may.
  const LmConfig wide{.layers = 2, .width = 256, .heads = 4, .vocabulary = 101, .positions = 24};
  const Rows rows = counting_rows(16);
  const auto run = [&](int threads) {
    const ThreadsGuard guard(threads);
    LmTrainer trainer(wide, kTrain);
    LmStep last{};
    for (int i = 0; i < 5; ++i) last = trainer.step(rows.ids, rows.lengths);
    return std::pair(std::move(trainer), last);
  };
  const auto [one, last_of_one] = run(1);
  for (const int threads : {2, 3}) {
    const auto [many, last_of_many] = run(threads);
    EXPECT_TRUE(same_parameters(one, many)) << threads;
    EXPECT_EQ(last_of_one.gradient_norm, last_of_many.gradient_norm) << threads;
    EXPECT_EQ(last_of_one.next_token_loss, last_of_many.next_token_loss) << threads;
  }
}

TEST(LmTrainer, CuttingABatchChangesOnlyTheRounding) {
  const Rows rows = counting_rows(7);  // parts of unequal size, and with 16 of one row
  std::vector<LmStep> results;
  for (const int64_t parts : {1, 2, 3, 16}) {
    LmTrainConfig config = kTrain;
    config.micro_batches = parts;
    LmTrainer trainer(kTiny, config);
    results.push_back(trainer.step(rows.ids, rows.lengths));
  }
  for (const auto& result : results) {
    EXPECT_NEAR(result.next_token_loss, results[0].next_token_loss, 1e-5);
    EXPECT_NEAR(result.identity_loss, results[0].identity_loss, 1e-5);
    EXPECT_NEAR(result.gradient_norm, results[0].gradient_norm, 1e-4);
  }
}

TEST(LmTrainer, EvaluatesWithoutChangingAnything) {
  const Rows rows = counting_rows(6);
  LmTrainer trainer(kTiny, kTrain), twin(kTiny, kTrain);
  const LmEvaluation found = trainer.evaluate(rows.ids, rows.lengths);
  const LmStep step = twin.step(rows.ids, rows.lengths);
  EXPECT_EQ(found.tokens, rows.lengths.sum().item<int64_t>());
  EXPECT_EQ(found.predicted_tokens, found.tokens - 6);
  EXPECT_NEAR(found.sum_nll / static_cast<double>(found.predicted_tokens), step.next_token_loss, 1e-6);
  EXPECT_NEAR(static_cast<double>(found.identity_correct) / static_cast<double>(found.tokens), step.identity_accuracy, 1e-12);
  trainer.step(rows.ids, rows.lengths);
  EXPECT_TRUE(same_parameters(trainer, twin));
}

TEST(LmTrainer, SavesWhatThePretrainedEncoderReads) {
  const test::TemporaryFolder folder;
  const Rows rows = counting_rows(4);
  LmTrainer trainer(kTiny, kTrain);
  trainer.step(rows.ids, rows.lengths);
  trainer.save(folder / "lm/deep");
  const auto encoder = load_pretrained_encoder(folder / "lm/deep", encoder_config(kTiny), at::kCPU);
  at::NoGradGuard no_grad;
  const Gpt2& network = trainer.model().network;
  for (int64_t layer = 0; layer <= 3; ++layer) {
    EXPECT_TRUE(at::equal(encoder->hidden(rows.ids, rows.lengths, layer), network.advance(network.embed(rows.ids), 0, layer)));
  }
}

TEST(LmTrainer, DecaysMatricesOnly) {
  // lr x weight decay = 1: what decays becomes 0 before the update of at most lr.
  LmTrainConfig config = kTrain;
  config.lr = 1e-3, config.warmup_steps = 0, config.optimizer.weight_decay = 1000;
  LmTrainer trainer(kTiny, config);
  const Rows rows = counting_rows(4);
  trainer.step(rows.ids, rows.lengths);
  CausalLm lm = trainer.model();
  for (const auto& [name, tensor] : parameters_of(lm, "")) {
    const double largest = tensor.abs().max().item<double>();
    if (tensor.dim() == 2) {
      EXPECT_LT(largest, 2e-3) << name;
    } else if (name.ends_with("weight")) {  // the gain of a layer norm
      EXPECT_GT(largest, 0.9) << name;
    }
  }
}

TEST(LmTrainer, RateWarmsUpAndFallsToATenth) {
  LmTrainConfig config = kTrain;
  config.lr = 2, config.warmup_steps = 4, config.steps = 104;
  EXPECT_DOUBLE_EQ(lm_learning_rate(config, 0), 0.5);
  EXPECT_DOUBLE_EQ(lm_learning_rate(config, 3), 2.0);
  EXPECT_DOUBLE_EQ(lm_learning_rate(config, 4), 2.0);
  EXPECT_NEAR(lm_learning_rate(config, 54), 1.1, 1e-12);
  EXPECT_NEAR(lm_learning_rate(config, 104), 0.2, 1e-12);
  EXPECT_NEAR(lm_learning_rate(config, 1000), 0.2, 1e-12);
}

// With this gain of the last norm a step must fail with `message`, and change nothing.
void expect_diverges(double gain, const std::string& expected) {
  const Rows rows = counting_rows(4);
  LmTrainer trainer(kTiny, kTrain), twin(kTiny, kTrain);
  for (auto* each : {&trainer, &twin}) {
    at::NoGradGuard no_grad;
    Tensor weight = each->model().network.final_norm.weight;
    weight.fill_(gain);
  }
  const std::string message = test::error_of<DivergedError>([&] { trainer.step(rows.ids, rows.lengths); });
  EXPECT_NE(message.find(expected), std::string::npos) << message;
  EXPECT_TRUE(same_parameters(trainer, twin));
  EXPECT_EQ(trainer.steps_done(), 0);
}

TEST(LmTrainer, NamesALossThatIsNotFiniteAndKeepsTheParameters) {
  expect_diverges(INFINITY, "the next-token loss must be finite, got nan at step 0");
}

// The loss is finite with such logits, the square of its gradient is not.
TEST(LmTrainer, NamesAGradientThatIsNotFiniteAndKeepsTheParameters) { expect_diverges(1e30, "the gradient must be finite, got "); }

TEST(LmTrainer, RefusesBatchesAndConfigurationsThatMeanNothing) {
  LmTrainer trainer(kTiny, kTrain);
  const Tensor ids = at::zeros({2, 5}, at::kLong);
  EXPECT_ERROR(trainer.step(ids + 101, at::tensor({5, 5})), "causal lm: ids must be in 0..100");
  EXPECT_ERROR(trainer.step(ids, at::tensor({1, 0})), "must have a row of at least 2 tokens, got lengths up to 1");
  EXPECT_ERROR(trainer.evaluate(ids, at::tensor({5})), "lengths must be integers [B] = [2]");
  LmTrainConfig config = kTrain;
  config.micro_batches = 0;
  EXPECT_ERROR(LmTrainer(kTiny, config), "micro_batches must be >= 1, got 0");
  config = kTrain;
  config.identity_layer = 4;
  EXPECT_ERROR(LmTrainer(kTiny, config), "layer must be in -4..3");
  LmConfig model = kTiny;
  model.heads = 5;
  EXPECT_ERROR(LmTrainer(model, kTrain), "heads must divide the width 32, got 5");
}

}  // namespace
}  // namespace ldlm
