// The baselines as networks and in training: cached against uncached, independence of the batch, resumption, what a bad input gets.
#include <cmath>

#include "baselines/autoregressive.h"
#include "baselines/baseline_trainer.h"
#include "io/safetensors.h"
#include "ops/linear/linear.h"
#include "support.h"
#include "temporary_folder.h"

namespace ldlm {

namespace {

BaselineConfig small(const std::string& kind) {
  return {.kind = kind, .vocabulary = 30, .length = 12, .layers = 2, .width = 32, .heads = 4, .condition = 16, .end_id = 1};
}

const BaselineTrainConfig kTrain{.batch = 8,
                                 .accumulate = 2,
                                 .warmup_steps = 5,
                                 .cooldown = 0.5,
                                 .lr = 3e-3,
                                 .optimizer = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.01, .clip = 1.0, .muon = MuonConfig{3, 0.95}},
                                 .ema = 0.9,
                                 .seed = 1,
                                 .bfloat16 = false};

std::unique_ptr<Baseline> random_model(const BaselineConfig& config, double deviation = 0.2) {
  auto model = make_baseline(config, at::TensorOptions(at::kFloat));
  model->reset_parameters(1);
  auto generator = at::detail::createCPUGenerator(2);
  model->visit("", [&](const std::string&, Tensor& p) { p.add_(at::randn(p.sizes(), generator, at::TensorOptions(at::kFloat)), deviation); });
  return model;
}

// Each row counts upwards from a random token, with another length.
struct Rows {
  Tensor ids, lengths;
};
Rows counting_rows(int64_t rows) {
  auto generator = at::detail::createCPUGenerator(7);
  const Tensor lengths = at::randint(2, 13, {rows}, generator, at::TensorOptions(at::kLong));
  const Tensor ids = 2 + (at::randint(0, 28, {rows, 1}, generator, at::TensorOptions(at::kLong)) + at::arange(12)) % 28;
  return {ids.masked_fill(at::arange(12).unsqueeze(0) >= lengths.unsqueeze(1) - 1, 1), lengths};
}

TensorMap tensors_in(const std::string& file) { return read_safetensors(file); }

bool same(const TensorMap& a, const TensorMap& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    if (!at::equal(tensor, b.at(name))) return false;
  }
  return true;
}

const TokenObserver kGoOn = [] { return true; };

BaselineRequest request_of(int64_t first, int64_t count) {
  return {.first_index = first, .count = count, .steps = 9, .seed = 3, .stop_at_end = true, .stepwise = false, .stride = 1};
}

}  // namespace

TEST(Baselines, SamplesDoNotDependOnTheBatchOrTheCores) {
  const int threads = at::get_num_threads();
  for (const std::string kind : {"mdlm", "ar", "duo", "sedd"}) {
    const auto model = random_model(small(kind));
    at::set_num_threads(2);
    const Tensor whole = model->sample(request_of(0, 5), kGoOn).ids_BL;
    EXPECT_EQ(whole.sizes(), at::IntArrayRef({5, 12})) << kind;
    EXPECT_TRUE(whole.ge(0).logical_and(whole.lt(30)).all().item<bool>()) << kind;
    for (const int cores : {1, 2}) {
      at::set_num_threads(cores);
      EXPECT_TRUE(at::equal(at::cat({model->sample(request_of(0, 1), kGoOn).ids_BL, model->sample(request_of(1, 4), kGoOn).ids_BL}), whole)) << kind;
    }
    EXPECT_FALSE(at::equal(whole[0], whole[1])) << kind;
  }
  at::set_num_threads(threads);
}

TEST(Autoregressive, CachedLogitsAreTheUncached) {
  const c10::InferenceMode inference;
  Autoregressive model({30, 12, 3, 32, 4, 1}, at::TensorOptions(at::kFloat));
  auto generator = at::detail::createCPUGenerator(2);
  model.reset_parameters(generator);
  model.visit("", [&](const std::string&, Tensor& p) { p.add_(at::randn(p.sizes(), generator, at::TensorOptions(at::kFloat)), 0.2); });
  for (const int64_t rows : {1, 4}) {
    const Tensor ids_BL = at::randint(0, 30, {rows, 12}, generator, at::TensorOptions(at::kLong));
    const Tensor expected_BLV = model.logits(ids_BL);
    const StepWeights weights(model);
    CachedSteps steps(model, weights, rows);
    for (int64_t i = 0; i < 12; ++i) {
      const Tensor found = steps.next(i == 0 ? at::full({rows}, 1, at::kLong) : ids_BL.select(1, i - 1).contiguous());
      EXPECT_LT(test::max_difference(found, expected_BLV.select(1, i)), 2e-5 * expected_BLV.abs().max().item<double>()) << rows << " rows, position " << i;
    }
  }
}

TEST(Autoregressive, ScoresEveryRealTokenAndNoPadding) {
  Autoregressive model({30, 12, 2, 32, 4, 1}, at::TensorOptions(at::kFloat));
  auto generator = at::detail::createCPUGenerator(2);
  model.reset_parameters(generator);
  const Rows rows = counting_rows(6);
  const Tensor log_p_BLV = at::log_softmax(model.logits(rows.ids).to(at::kDouble), 2);
  double expected = 0;
  for (int64_t row = 0; row < 6; ++row) {
    for (int64_t i = 0; i < rows.lengths[row].item<int64_t>(); ++i) expected -= log_p_BLV[row][i][rows.ids[row][i]].item<double>();
  }
  EXPECT_NEAR(model.nll_sum(rows.ids, rows.lengths).item<double>(), expected, 1e-5 * expected);
  const Tensor other_padding = at::where(at::arange(12).unsqueeze(0) < rows.lengths.unsqueeze(1), rows.ids, 9);
  EXPECT_EQ(model.nll_sum(rows.ids, rows.lengths).item<double>(), model.nll_sum(other_padding, rows.lengths).item<double>());
}

TEST(Autoregressive, EndsARowAtItsEndToken) {
  const auto model = random_model(small("ar"), 0.05);
  const Tensor ids = model->sample(request_of(0, 64), kGoOn).ids_BL;
  int64_t ended = 0;
  for (int64_t row = 0; row < 64; ++row) {
    const Tensor ends = ids[row].eq(1).nonzero().flatten();
    if (ends.numel() == 0) continue;
    ++ended;
    EXPECT_TRUE(ids[row].narrow(0, ends[0].item<int64_t>(), 12 - ends[0].item<int64_t>()).eq(1).all().item<bool>());
  }
  EXPECT_GT(ended, 5);
}

TEST(BaselineTrainer, TheLossFallsFromThatOfUniformTokens) {
  for (const std::string kind : {"mdlm", "ar"}) {
    const Rows rows = counting_rows(8);
    BaselineTrainer trainer(small(kind), kTrain);
    const BaselineStep first = trainer.step(rows.ids, rows.lengths, 0);
    if (kind == "ar") {
      EXPECT_NEAR(first.loss, std::log(30.0), 0.2);  // that of mdlm is a random number around it
    }
    double last = 0;
    for (int i = 1; i < 200; ++i) last += trainer.step(rows.ids, rows.lengths, i / 200.0).loss / (i < 180 ? INFINITY : 20);
    EXPECT_LT(last, 0.5 * std::log(30.0)) << kind;
    EXPECT_EQ(trainer.steps_done(), 200);
  }
}

TEST(BaselineTrainer, ResumesBitwise) {
  const test::TemporaryFolder folder;
  const Rows rows = counting_rows(8);
  for (const std::string kind : {"mdlm", "ar"}) {
    const auto path = [&](const char* name) {
      std::filesystem::create_directories(folder / (kind + name));
      return folder / (kind + name);
    };
    BaselineTrainer whole(small(kind), kTrain), first(small(kind), kTrain), second(small(kind), kTrain);
    for (int i = 0; i < 6; ++i) whole.step(rows.ids, rows.lengths, i / 6.0);
    for (int i = 0; i < 3; ++i) first.step(rows.ids, rows.lengths, i / 6.0);
    first.save(path("half"));
    second.load(path("half"), 3);
    for (int i = 3; i < 6; ++i) second.step(rows.ids, rows.lengths, i / 6.0);
    whole.save(path("whole"));
    second.save(path("resumed"));
    for (const char* file : {"/model.safetensors", "/ema.safetensors", "/optimizer.safetensors"}) {
      EXPECT_TRUE(same(tensors_in(path("whole") + file), tensors_in(path("resumed") + file))) << kind << file;
      EXPECT_FALSE(same(tensors_in(path("whole") + file), tensors_in(path("half") + file))) << kind << file;
    }
  }
}

TEST(BaselineTrainer, TheRateWarmsUpAndCoolsDownWithTheProgress) {
  const Rows rows = counting_rows(8);
  BaselineTrainer trainer(small("ar"), kTrain);
  EXPECT_NEAR(trainer.step(rows.ids, rows.lengths, 0).lr, 3e-3 / 5, 1e-12);
  for (int i = 0; i < 4; ++i) trainer.step(rows.ids, rows.lengths, 0.1);
  EXPECT_NEAR(trainer.step(rows.ids, rows.lengths, 0.4).lr, 3e-3, 1e-12);
  EXPECT_NEAR(trainer.step(rows.ids, rows.lengths, 0.75).lr, 1.5e-3, 1e-12);
  EXPECT_EQ(trainer.step(rows.ids, rows.lengths, 1).lr, 0);
}

TEST(BaselineTrainer, PartsOnlyChangeTheRounding) {
  const Rows rows = counting_rows(8);
  for (const std::string kind : {"mdlm", "ar"}) {
    BaselineTrainConfig in_one = kTrain;
    in_one.accumulate = 1;
    BaselineTrainer a(small(kind), kTrain), b(small(kind), in_one);
    const BaselineStep x = a.step(rows.ids, rows.lengths, 0), y = b.step(rows.ids, rows.lengths, 0);
    EXPECT_NEAR(x.loss, y.loss, 1e-5 * y.loss) << kind;
    EXPECT_NEAR(x.gradient_norm, y.gradient_norm, 1e-4 * y.gradient_norm) << kind;
  }
}

TEST(BaselineTrainer, Bf16ProductsTrainLikeFp32Ones) {
  if (!Bf16Products::supported()) GTEST_SKIP() << "needs a CPU with AVX512-BF16";
  const Rows rows = counting_rows(8);
  for (const std::string kind : {"mdlm", "ar"}) {
    BaselineTrainConfig in_bf16 = kTrain;
    in_bf16.bfloat16 = true;
    BaselineTrainer exact(small(kind), kTrain), rounded(small(kind), in_bf16);
    BaselineStep a{}, b{};
    for (int i = 0; i < 10; ++i) a = exact.step(rows.ids, rows.lengths, 0), b = rounded.step(rows.ids, rows.lengths, 0);
    EXPECT_NE(a.loss, b.loss) << kind;
    EXPECT_NEAR(a.loss, b.loss, 0.02 * a.loss) << kind;
  }
}

TEST(Baselines, RefuseWhatMeansNothing) {
  const auto make = [](BaselineConfig config) { make_baseline(config, at::TensorOptions(at::kMeta)); };
  BaselineConfig config = small("gan");
  EXPECT_ERROR(make(config), "a baseline must be mdlm, ar, duo or sedd, got gan");
  config = small("mdlm"), config.heads = 3;
  EXPECT_ERROR(make(config), "must be a multiple of 2 x heads = 6, got 32");
  config = small("ar"), config.end_id = 30;
  EXPECT_ERROR(make(config), "the end token must be in 0..29, got 30");
  const Rows rows = counting_rows(8);
  BaselineTrainer trainer(small("mdlm"), kTrain);
  EXPECT_ERROR(trainer.step(rows.ids + 10, rows.lengths, 0), "ids must be in 0..29");
  EXPECT_ERROR(trainer.step(rows.ids.narrow(0, 0, 4), rows.lengths.narrow(0, 0, 4), 0), "a batch must be [8, 12]");
  EXPECT_ERROR(BaselineTrainer(small("duo"), kTrain).step(rows.ids, rows.lengths, 0), "only mdlm and ar can be trained, got duo");
}

TEST(Baselines, HaveTheSizesThatEveryoneCompares) {
  const auto count = [](const std::string& kind, int64_t vocabulary, int64_t length) {
    const auto model = make_baseline({kind, vocabulary, length, 12, 768, 12, 128, 0}, at::TensorOptions(at::kMeta));
    return static_cast<double>(count_parameters(*model)) / 1e6;
  };
  EXPECT_NEAR(count("ar", 50257, 1024), 124.4, 0.05);
  // The published networks, and our learned positions.
  EXPECT_NEAR(count("mdlm", 50257, 1024), 169.6 + 1024 * 768e-6, 0.1);
  EXPECT_NEAR(count("mdlm", 30521, 128), 139.3 + 128 * 768e-6, 0.1);
}

}  // namespace ldlm
