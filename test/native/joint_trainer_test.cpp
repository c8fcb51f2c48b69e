// The recipe: which loss reaches which module, that training learns, is the same for any number of cores, and resumes bitwise.
#include "train/joint_trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "generate/generate.h"
#include "golden_models.h"
#include "io/safetensors.h"
#include "support.h"
#include "temporary_folder.h"
#include "train/diverged_error.h"

namespace ldlm {

namespace {

constexpr int64_t kLength = 6, kHidden = 12, kVocabulary = 11, kBatch = 8;

// A frozen LM for tests: a fixed random vector for every token and position.
class TableEncoder : public PretrainedEncoder {
 public:
  TableEncoder() {
    auto generator = at::detail::createCPUGenerator(9);
    tokens_ = at::randn({kVocabulary, kHidden}, generator, at::TensorOptions(at::kFloat));
    positions_ = at::randn({kLength, kHidden}, generator, at::TensorOptions(at::kFloat));
  }
  void check(const Tensor&, const Tensor&) const override {}
  Tensor hidden(const Tensor& ids_BL, const Tensor&, int64_t) const override {
    return tokens_.index_select(0, ids_BL.flatten()).view({ids_BL.size(0), kLength, kHidden}) + positions_;
  }

 private:
  Tensor tokens_, positions_;
};

JointTrainerConfig small_config() {
  JointTrainerConfig config;
  config.model = {kLength, kLength, 8, kHidden, kVocabulary, {1, 2}, {1, 2}, {1, 2}, {2, 16, 2}};
  config.encoder_layer = -3;
  config.schedule_d = 3;
  config.self_conditioning = 0.5;
  config.recipe = {true, EncoderWarmup{20, 10, 0.8, 0.001, 0.5}, AdaptiveTimesteps{20, 0.9, 5, 0.05}, 0.5};
  config.train = {200, kBatch, 2, 5, 0, 3e-3, {0.9, 0.98, 1e-6, 0.01, 1.0, {}}, 0.9, 17, false, false};
  return config;
}

// With all that a step can do: Muon, a learning rate that falls within the run, a time for every position, and weights by time.
JointTrainerConfig full_config() {
  JointTrainerConfig config = small_config();
  config.train.steps = 30, config.train.cooldown_steps = 20;
  config.train.optimizer.muon = MuonConfig{2, 0.95};
  config.model.stagger = 1;
  config.recipe.loss_weighting = 0.02;
  return config;
}

Batch batch_of(int64_t k) {
  auto generator = at::detail::createCPUGenerator(100 + static_cast<uint64_t>(k));
  const Tensor ids = at::randint(0, kVocabulary, {kBatch, kLength}, generator, at::TensorOptions(at::kLong));
  Tensor lengths = at::full({kBatch}, kLength, at::kLong);
  lengths[1] = 4;
  return {ids, lengths};
}

std::unique_ptr<JointTrainer> ready_trainer(const JointTrainerConfig& config = small_config()) {
  auto trainer = std::make_unique<JointTrainer>(config, std::make_shared<TableEncoder>(), at::kCPU);
  for (int64_t k = 0; k < 4; ++k) trainer->observe_statistics(batch_of(k));
  trainer->finish_statistics();
  return trainer;
}

// Largest absolute gradient by module: latent_encoder, latent_decoder, token_decoder, dit.
std::vector<double> reach(JointTrainer& trainer, const Tensor& loss) {
  std::vector<double> found;
  for (const char* module : {"latent_encoder.", "latent_decoder.", "token_decoder.", "dit."}) {
    double largest = 0;
    trainer.model().visit("", [&](const std::string& name, Tensor& parameter) {
      if (!name.starts_with(module)) return;
      const auto gradient = torch::autograd::grad({loss}, {parameter}, {}, true, false, true)[0];
      if (gradient.defined()) largest = std::max(largest, gradient.abs().max().item<double>());
    });
    found.push_back(largest);
  }
  return found;
}

TensorMap weights_of(JointTrainer& trainer) {
  TensorMap weights;
  trainer.model().visit("", [&](const std::string& name, Tensor& parameter) { weights[name] = parameter.detach().clone(); });
  return weights;
}

void expect_equal_weights(JointTrainer& a, JointTrainer& b) {
  const TensorMap left = weights_of(a), right = weights_of(b);
  for (const auto& [name, tensor] : left) EXPECT_TRUE(at::equal(tensor, right.at(name))) << name;
}

}  // namespace

TEST(JointTrainer, EachLossReachesExactlyItsModules) {
  auto trainer = ready_trainer();
  for (int64_t k = 0; k < 3; ++k) trainer->step(batch_of(k));  // past adaLN-zero, whose first gradients are partly zero
  const Batch batch = batch_of(3);
  const Tensor real_tokens = batch.lengths_B.sum();
  const auto full = trainer->losses_of(batch, 0, real_tokens, 1.0);
  const auto token = reach(*trainer, full.token), hidden = reach(*trainer, full.hidden), diffusion = reach(*trainer, full.diffusion);
  const bool expected[3][4] = {{false, false, true, false}, {true, true, false, false}, {true, false, false, true}};
  const std::vector<double>* const rows[] = {&token, &hidden, &diffusion};
  for (int loss = 0; loss < 3; ++loss) {
    for (int module = 0; module < 4; ++module) EXPECT_EQ((*rows[loss])[module] > 0, expected[loss][module]) << "loss " << loss << " module " << module;
  }
  // gamma scales what reaches the encoder, and nothing else.
  const auto quarter = reach(*trainer, trainer->losses_of(batch, 0, real_tokens, 0.25).diffusion);
  EXPECT_NEAR(quarter[0] / diffusion[0], 0.25, 1e-4);
  EXPECT_NEAR(quarter[3] / diffusion[3], 1.0, 1e-6);
  EXPECT_EQ(reach(*trainer, trainer->losses_of(batch, 0, real_tokens, 0.0).diffusion)[0], 0.0);
}

TEST(JointTrainer, LossWeightingChangesTheGradientOfTheDenoiserAndNotTheLoss) {
  JointTrainerConfig config = small_config();
  auto plain = ready_trainer(config);
  config.recipe.loss_weighting = 0.02;
  auto weighted = ready_trainer(config);
  for (int64_t k = 0; k < 6; ++k) weighted->step(batch_of(k)), plain->step(batch_of(k));
  const TensorMap weights = weights_of(*weighted);
  {
    at::NoGradGuard no_grad;
    plain->model().visit("", [&](const std::string& name, Tensor& parameter) { parameter.copy_(weights.at(name)); });
  }
  const Batch batch = batch_of(7);
  const Tensor real_tokens = batch.lengths_B.sum();
  const auto with = weighted->losses_of(batch, 0, real_tokens, 1.0), without = plain->losses_of(batch, 0, real_tokens, 1.0);
  // The times of both are the same as long as the warp is even, for three rebuilds of five steps.
  EXPECT_TRUE(at::equal(with.u_B, without.u_B));
  EXPECT_TRUE(at::equal(with.diffusion_B, without.diffusion_B));
  const auto gradient = [](JointTrainer& trainer, const Tensor& loss) {
    Tensor found;
    trainer.model().visit("", [&](const std::string& name, Tensor& parameter) {
      if (name == "dit.output.bias") found = torch::autograd::grad({loss}, {parameter}, {}, true)[0];
    });
    return found;
  };
  // A sample has one time here, and so one weight.
  std::vector<double> weights_B;
  for (int64_t b = 0; b < kBatch; ++b) {
    const Tensor scaled = gradient(*weighted, with.diffusion_B[b]), own = gradient(*plain, without.diffusion_B[b]);
    weights_B.push_back((scaled.dot(own) / own.dot(own)).item<double>());
    EXPECT_TRUE(at::allclose(scaled, weights_B.back() * own, 1e-4, 1e-6)) << b;
  }
  const auto [least, largest] = std::minmax_element(weights_B.begin(), weights_B.end());
  EXPECT_GT(*least, 0.5);
  EXPECT_LT(*largest, 2.0);
  EXPECT_GT(*largest, 1.01 * *least);
  EXPECT_EQ(with.loss_by_time_BM1.sizes(), with.times_BM1.sizes());
  EXPECT_TRUE(at::allclose(with.loss_by_time_BM1.flatten(), with.diffusion_B));
  // With stagger every position has a time and a loss of its own.
  auto staggered = ready_trainer(full_config());
  const auto by_position = staggered->losses_of(batch, 0, real_tokens, 1.0);
  EXPECT_EQ(by_position.loss_by_time_BM1.sizes(), (at::IntArrayRef{kBatch, kLength, 1}));
  EXPECT_EQ(by_position.times_BM1.sizes(), by_position.loss_by_time_BM1.sizes());
  EXPECT_TRUE(at::allclose(by_position.loss_by_time_BM1.mean({1, 2}), by_position.diffusion_B));
}

TEST(JointTrainer, AStoppedTargetLeavesTheEncoderTheGradientThroughItsInput) {
  JointTrainerConfig config = small_config();
  config.recipe.stopped_target = true;
  auto stopped = ready_trainer(config), whole = ready_trainer();
  const Batch batch = batch_of(3);
  const Tensor real_tokens = batch.lengths_B.sum();
  // A fresh DiT answers 0 whatever its input: without the target nothing is left.
  EXPECT_EQ(reach(*stopped, stopped->losses_of(batch, 0, real_tokens, 1.0).diffusion)[0], 0.0);
  for (int64_t k = 0; k < 3; ++k) stopped->step(batch_of(k)), whole->step(batch_of(k));
  const TensorMap weights = weights_of(*stopped);
  {
    at::NoGradGuard no_grad;
    whole->model().visit("", [&](const std::string& name, Tensor& parameter) { parameter.copy_(weights.at(name)); });
  }
  const auto of_stopped = stopped->losses_of(batch, 0, real_tokens, 1.0), of_whole = whole->losses_of(batch, 0, real_tokens, 1.0);
  EXPECT_EQ(of_stopped.diffusion.item<float>(), of_whole.diffusion.item<float>());
  const auto with = reach(*whole, of_whole.diffusion), without = reach(*stopped, of_stopped.diffusion);
  EXPECT_GT(without[0], 0.0);
  EXPECT_GT(std::abs(with[0] / without[0] - 1), 1e-2);
  EXPECT_EQ(without[1] + without[2], 0.0);
  EXPECT_EQ(without[3], with[3]);
}

TEST(JointTrainer, NaiveTrainingSendsCrossEntropyThroughTheAutoencoder) {
  JointTrainerConfig config = small_config();
  config.recipe = {false, std::nullopt, std::nullopt, 0.0};
  auto trainer = ready_trainer(config);
  const Batch batch = batch_of(0);
  const auto losses = trainer->losses_of(batch, 0, batch.lengths_B.sum(), 1.0);
  const auto token = reach(*trainer, losses.token);
  EXPECT_GT(token[0], 0);
  EXPECT_GT(token[1], 0);
  EXPECT_GT(token[2], 0);
  EXPECT_NEAR(losses.total.item<double>(), (losses.token + losses.diffusion).item<double>(), 1e-6);
}

TEST(JointTrainer, OverfitsOneBatch) {
  auto trainer = ready_trainer();
  const Batch batch = batch_of(0);
  trainer->step(batch);
  const StepMetrics first = trainer->metrics();
  for (int k = 0; k < 199; ++k) trainer->step(batch);
  const StepMetrics last = trainer->metrics();
  EXPECT_EQ(last.step, 200);
  EXPECT_LT(last.hidden, 0.5 * first.hidden);
  EXPECT_LT(last.token, 0.3 * first.token);
  EXPECT_LT(last.diffusion, 0.8 * first.diffusion);
  EXPECT_GT(trainer->diagnose(batch).clean, 0.95);
  EXPECT_GT(last.latent.effective_rank, 1.5);
}

TEST(JointTrainer, LearningRateRisesStaysAndFallsToNothing) {
  JointTrainerConfig config = small_config();
  config.train.steps = 12, config.train.warmup_steps = 4, config.train.cooldown_steps = 5, config.train.lr = 1;
  auto trainer = ready_trainer(config);
  std::vector<double> rates;
  for (int64_t k = 0; k < 12; ++k) {
    trainer->step(batch_of(0));
    rates.push_back(trainer->metrics().lr);
  }
  const std::vector<double> expected = {0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2};
  for (size_t k = 0; k < 12; ++k) EXPECT_NEAR(rates[k], expected[k], 1e-12) << k;
}

// What must not change a bit does not in bf16 either.
class InBothDtypes : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && !Bf16Products::supported()) GTEST_SKIP() << "needs a CPU with AVX512-BF16";
  }
};
std::string dtype_name(const testing::TestParamInfo<bool>& info) { return info.param ? "Bfloat16" : "Float32"; }

class JointTrainerInBothDtypes : public InBothDtypes {
 protected:
  static JointTrainerConfig config() {
    JointTrainerConfig config = full_config();
    config.train.bfloat16 = GetParam();
    return config;
  }
};
INSTANTIATE_TEST_SUITE_P(Of, JointTrainerInBothDtypes, testing::Bool(), dtype_name);

TEST_P(JointTrainerInBothDtypes, IsBitwiseTheSameForAnyNumberOfCores) {
  const int threads = at::get_num_threads();
  auto one = ready_trainer(config()), two = ready_trainer(config());
  at::set_num_threads(1);
  for (int64_t k = 0; k < 10; ++k) one->step(batch_of(k));
  at::set_num_threads(2);
  for (int64_t k = 0; k < 10; ++k) two->step(batch_of(k));
  at::set_num_threads(threads);
  expect_equal_weights(*one, *two);
}

TEST_P(JointTrainerInBothDtypes, RecomputingActivationsChangesNoBit) {
  JointTrainerConfig with_recompute = config();
  with_recompute.train.recompute = true;
  auto kept = ready_trainer(config()), recomputed = ready_trainer(with_recompute);
  for (int64_t k = 0; k < 5; ++k) kept->step(batch_of(k)), recomputed->step(batch_of(k));
  expect_equal_weights(*kept, *recomputed);
}

TEST_P(JointTrainerInBothDtypes, ResumesBitwise) {
  const std::string folder = std::filesystem::temp_directory_path() / ("ldlm-resume-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  auto straight = ready_trainer(config()), resumed = ready_trainer(config());
  for (int64_t k = 0; k < 30; ++k) {
    if (k == 17) {
      straight->save(folder);
      resumed->load(folder, straight->steps_done(), straight->timesteps().state());
    }
    straight->step(batch_of(k));
    if (k >= 17) resumed->step(batch_of(k));
  }
  std::filesystem::remove_all(folder);
  expect_equal_weights(*straight, *resumed);
  EXPECT_EQ(straight->timesteps().state().cumulative, resumed->timesteps().state().cumulative);
}

TEST(JointTrainer, Bf16ProductsTrainLikeFp32Ones) {
  if (!Bf16Products::supported()) GTEST_SKIP() << "needs a CPU with AVX512-BF16";
  JointTrainerConfig config = full_config();
  auto exact = ready_trainer(config);
  config.train.bfloat16 = true;
  auto rounded = ready_trainer(config);
  for (int64_t k = 0; k < 30; ++k) exact->step(batch_of(k)), rounded->step(batch_of(k));
  const StepMetrics a = exact->metrics(), b = rounded->metrics();
  for (const auto& [of_exact, of_rounded] : {std::pair{a.diffusion, b.diffusion}, {a.hidden, b.hidden}, {a.token, b.token}}) {
    EXPECT_NE(of_exact, of_rounded);
    EXPECT_NEAR(of_exact, of_rounded, 0.02 * of_exact);
  }
}

TEST(JointTrainer, StopsAtANonFiniteLossAndKeepsTheParametersAndWhatElseACheckpointHolds) {
  auto trainer = ready_trainer(full_config());
  trainer->step(batch_of(0));
  {
    at::NoGradGuard no_grad;
    trainer->model().dit.input.weight.fill_(std::numeric_limits<float>::infinity());
  }
  const TensorMap before = weights_of(*trainer);
  try {
    trainer->step(batch_of(1));
    FAIL() << "a non-finite loss went unnoticed";
  } catch (const DivergedError& error) {
    EXPECT_NE(std::string(error.what()).find("diffusion loss must be finite"), std::string::npos) << error.what();
  }
  for (const auto& [name, tensor] : weights_of(*trainer)) EXPECT_TRUE(at::equal(tensor, before.at(name))) << name;
  const test::TemporaryFolder folder;
  trainer->save(folder.path());
  const TensorMap saved = read_safetensors(folder / "optimizer.safetensors");
  EXPECT_TRUE(saved.contains("loss_weighting.loss_sum"));
  for (const auto& [name, tensor] : saved) EXPECT_TRUE(at::isfinite(tensor).all().item<bool>()) << name;
  for (const double sum : trainer->timesteps().state().loss_sum) EXPECT_TRUE(std::isfinite(sum));
}

// A language model large enough for operators to share the work among threads, over rows whose number no register divides.
TEST(JointTrainer, MeasuresTheSameStatisticsWithAnyNumberOfCores) {
  const int64_t rows = 2 * 333, length = test::kGpt2.config.positions;
  JointTrainerConfig config = small_config();
  config.model.max_length = config.model.latents = length;
  config.model.hidden_width = test::kGpt2.config.hidden_width, config.model.vocabulary = test::kGpt2.config.vocabulary;
  config.train.batch = rows, config.encoder_layer = 1;
  const std::shared_ptr<const PretrainedEncoder> encoder = load_pretrained_encoder(test::kGpt2.folder(), test::kGpt2.config, at::kCPU);
  auto generator = at::detail::createCPUGenerator(3);
  const Batch batch = {at::randint(0, 101, {rows, length}, generator, at::TensorOptions(at::kLong)), at::full({rows}, length, at::kLong)};
  const auto statistics_with = [&](int threads) {
    const test::TemporaryFolder folder;
    at::set_num_threads(threads);
    JointTrainer trainer(config, encoder, at::kCPU);
    trainer.observe_statistics(batch);
    trainer.finish_statistics();
    trainer.save(folder.path());
    return read_safetensors(folder / "model.safetensors").at("feature_statistics.mean").clone();
  };
  const int threads = at::get_num_threads();
  const Tensor alone = statistics_with(1);
  for (const int several : {2, 5}) EXPECT_TRUE(at::equal(statistics_with(several), alone)) << several;
  at::set_num_threads(threads);
}

TEST(JointTrainer, RefusesABatchOfAnotherShape) {
  auto trainer = ready_trainer();
  EXPECT_THROW(trainer->step({at::zeros({kBatch, kLength + 1}, at::kLong), at::ones({kBatch}, at::kLong)}), c10::ValueError);
  EXPECT_THROW(trainer->metrics(), c10::ValueError);
}

TEST(LatentStatistics, SeeACollapse) {
  const Tensor shared = at::randn({1, 5, 16}).expand({64, 5, 16});  // the same latents for all data
  EXPECT_LT(latent_statistics(shared + 1e-4 * at::randn({64, 5, 16})).deviation, 1e-3);
  EXPECT_NEAR(latent_statistics(at::randn({4096, 5, 16})).effective_rank, 16, 0.1);
  EXPECT_NEAR(latent_statistics(at::randn({512, 5, 1}) * at::ones({16})).effective_rank, 1, 1e-6);
}

TEST(LatentStatistics, GivesTheSpectrumLargestFirst) {
  // Two samples on either side of a shared mean: the variance of each dimension is its distance squared.
  const Tensor distance = at::tensor({1.0, 3.0, 0.0, 2.0});
  const LatentStatistics statistics = latent_statistics(at::stack({5 + distance, 5 - distance}).unsqueeze(1));
  ASSERT_EQ(statistics.spectrum.size(), 4u);
  EXPECT_NEAR(statistics.spectrum[0], 14, 1e-9);  // one direction holds all of it
  EXPECT_NEAR(statistics.spectrum[1], 0, 1e-9);
  EXPECT_NEAR(statistics.deviation, std::sqrt(14.0 / 4), 1e-9);
}

class GenerateInBothDtypes : public InBothDtypes {};
INSTANTIATE_TEST_SUITE_P(Of, GenerateInBothDtypes, testing::Bool(), dtype_name);

TEST_P(GenerateInBothDtypes, SamplesDoNotDependOnTheBatch) {
  auto trainer = ready_trainer();
  for (int64_t k = 0; k < 20; ++k) trainer->step(batch_of(k));
  LDLM model = clone_model(trainer->model());
  if (GetParam()) round_to_bf16(model);
  const NoiseSchedule schedule = {3};
  const auto always = [](int64_t, const Tensor&) { return true; };
  for (const SamplerKind sampler : {SamplerKind::kDdim, SamplerKind::kHeun, SamplerKind::kSde}) {
    SampleRequest request = {0, 7, 5, sampler, 1.0, 1.0, false, 0.05, 3, 0};
    const Tensor together = generate(model, schedule, trainer->timesteps(), request, always).ids_BL;
    for (int64_t i = 0; i < 7; ++i) {
      request.first_index = i;
      request.count = 1;
      EXPECT_TRUE(at::equal(generate(model, schedule, trainer->timesteps(), request, always).ids_BL[0], together[i]));
    }
  }
}

TEST(Generate, TemperatureScalesAllNoiseAndTheUniformGridIgnoresTheWarp) {
  auto trainer = ready_trainer();
  for (int64_t k = 0; k < 20; ++k) trainer->step(batch_of(k));
  const NoiseSchedule schedule = {3};
  const auto always = [](int64_t, const Tensor&) { return true; };
  TimestepSampler warped = trainer->timesteps();
  TimestepSampler::State state = warped.state();
  for (size_t i = 1; i + 1 < state.cumulative.size(); ++i) state.cumulative[i] = 0.1 * state.cumulative[i];  // all but all at high u
  warped.restore(state);
  const auto ids = [&](const TimestepSampler& timesteps, double temperature, bool uniform_grid, double eta = 0) {
    const SampleRequest request = {0, 16, 8, SamplerKind::kDdim, eta, temperature, uniform_grid, 0.05, 3, 0};
    return generate(trainer->model(), schedule, timesteps, request, always).ids_BL;
  };
  const TimestepSampler uniform(std::nullopt, 0);
  EXPECT_TRUE(at::equal(ids(warped, 1.0, true), ids(uniform, 1.0, false)));
  EXPECT_FALSE(at::equal(ids(warped, 1.0, true), ids(warped, 1.0, false)));
  EXPECT_FALSE(at::equal(ids(warped, 1.0, false), ids(warped, 2.0, false)));
  // Without initial noise and without fresh noise nothing tells one sample from another.
  for (const double eta : {0.0, 1.0}) {
    const Tensor same = ids(warped, 0.0, false, eta);
    EXPECT_TRUE(at::equal(same, same[0].expand_as(same))) << "eta " << eta;
  }
}

TEST(Generate, ShowsPreviewsAndStopsWhenAsked) {
  auto trainer = ready_trainer();
  const NoiseSchedule schedule = {3};
  const SampleRequest request = {0, 2, 8, SamplerKind::kDdim, 0.0, 1.0, false, 0.05, 3, 3};
  std::vector<int64_t> previews;
  const auto watch = [&](int64_t evaluation, const Tensor& preview_BL) {
    if (preview_BL.defined()) previews.push_back(evaluation);
    return evaluation < 7;
  };
  EXPECT_THROW(generate(trainer->model(), schedule, trainer->timesteps(), request, watch), SamplingAborted);
  EXPECT_EQ(previews, (std::vector<int64_t>{3, 6}));
}

}  // namespace ldlm
