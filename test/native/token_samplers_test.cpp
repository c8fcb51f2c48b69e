// The discrete samplers with the exact denoiser of a small joint distribution: what they draw must be distributed like it. And the bound
// that MDLM minimises, with the exact denoiser of independent tokens: it must be their entropy.
#include <cmath>

#include "baselines/masked_diffusion.h"
#include "baselines/score_diffusion.h"
#include "baselines/uniform_diffusion.h"
#include "generate/generate.h"
#include "support.h"

namespace ldlm {

namespace {

constexpr int64_t kLength = 3, kVocabulary = 3, kSequences = 27;

int64_t token_of(int64_t sequence, int64_t position) {
  for (int64_t i = 0; i < position; ++i) sequence /= kVocabulary;
  return sequence % kVocabulary;
}

std::vector<double> joint() {
  const Tensor weights = at::exp(1.2 * at::randn({kSequences}, at::detail::createCPUGenerator(4), at::TensorOptions(at::kDouble)));
  const Tensor p = weights / weights.sum();
  return {p.const_data_ptr<double>(), p.const_data_ptr<double>() + kSequences};
}

// The exact denoiser: p(clean token at i | the other positions), where `likelihood(noisy, clean)` is that of one position. A mask says
// nothing of its own position; of a uniform-state model it is this that makes the posterior of uniform_diffusion.h exact.
TokenDenoiser exact_denoiser(const std::function<double(int64_t noisy, int64_t clean, double t)>& likelihood) {
  return [likelihood](const Tensor& ids_L, double t) -> PositionLogits {
    static const std::vector<double> p = joint();
    const int64_t* const noisy = ids_L.const_data_ptr<int64_t>();
    double marginals[kLength][kVocabulary] = {};
    for (int64_t sequence = 0; sequence < kSequences; ++sequence) {
      for (int64_t i = 0; i < kLength; ++i) {
        double weight = p[static_cast<size_t>(sequence)];
        for (int64_t j = 0; j < kLength; ++j) weight *= j == i ? 1 : likelihood(noisy[j], token_of(sequence, j), t);
        marginals[i][token_of(sequence, i)] += weight;
      }
    }
    Tensor logits_LV = at::empty({kLength, kVocabulary}, at::kFloat);
    float* const logits = logits_LV.mutable_data_ptr<float>();
    for (int64_t i = 0; i < kLength; ++i) {
      const double total = marginals[i][0] + marginals[i][1] + marginals[i][2];
      for (int64_t j = 0; j < kVocabulary; ++j) logits[i * kVocabulary + j] = static_cast<float>(std::max(-1e30, std::log(marginals[i][j] / total)));
    }
    return [logits_LV](const Tensor& positions_K) { return logits_LV.index_select(0, positions_K); };
  };
}

double masked_likelihood(int64_t noisy, int64_t clean, double) { return noisy == kVocabulary || noisy == clean ? 1 : 0; }

double uniform_likelihood(int64_t noisy, int64_t clean, double t) { return (noisy == clean ? 1 - t : 0) + t / kVocabulary; }

using Sampler = std::function<TokenSample(const TokenSampling&)>;

// Pearson's statistic of `count` samples against the joint distribution, 26 degrees of freedom: above 61 once in 10^4.
double chi_square(const Sampler& sampler, int64_t count, int64_t steps) {
  std::vector<int64_t> found(kSequences, 0);
  for (int64_t index = 0; index < count; ++index) {
    const Tensor ids = sampler({kLength, kVocabulary, steps, 11, index, 1}).ids_L;
    int64_t sequence = 0;
    for (int64_t i = kLength - 1; i >= 0; --i) sequence = sequence * kVocabulary + ids[i].item<int64_t>();
    ++found.at(static_cast<size_t>(sequence));
  }
  double statistic = 0;
  const std::vector<double> p = joint();
  for (size_t i = 0; i < p.size(); ++i) {
    const double expected = p[i] * static_cast<double>(count);
    statistic += std::pow(static_cast<double>(found[i]) - expected, 2) / expected;
  }
  return statistic;
}

constexpr double kUnlikely = 61;
const TokenObserver kGoOn = [] { return true; };

}  // namespace

TEST(SoftmaxRow, IsTheSoftmaxInFp64AndDrawsByInverseCumulativeSums) {
  for (const int64_t count : {1, 2, 255, 256, 257, 1000, 50257}) {
    const Tensor logits = 3 * at::randn({count}, at::detail::createCPUGenerator(5), at::TensorOptions(at::kFloat));
    const Tensor p = at::softmax(logits.to(at::kDouble), 0), cumulative = p.cumsum(0);
    const SoftmaxRow row(logits.const_data_ptr<float>(), count);
    EXPECT_NEAR(row.log_sum(), at::logsumexp(logits.to(at::kDouble), 0).item<double>(), 1e-12) << count;
    for (const double uniform : {0.0, 0.1, 0.5, 0.77, 0.999}) {
      const int64_t drawn = row.draw(uniform);
      EXPECT_NEAR(row.probability(drawn), p[drawn].item<double>(), 1e-12);
      EXPECT_EQ(drawn, at::searchsorted(cumulative, at::full({1}, uniform, at::kDouble), false, true).item<int64_t>()) << count << " " << uniform;
    }
  }
}

TEST(SoftmaxRow, NeverDrawsWhatHasNoProbability) {
  std::vector<float> logits(600, -1e30f);
  logits[300] = 2, logits[599] = 2;
  const SoftmaxRow row(logits.data(), 600);
  EXPECT_EQ(row.draw(0), 300);
  EXPECT_EQ(row.draw(0.4999), 300);
  EXPECT_EQ(row.draw(0.5001), 599);
  EXPECT_EQ(row.draw(std::nextafter(1.0, 0.0)), 599);
}

TEST(MaskedDiffusion, MaskingDependsOnTheRowAndNotOnThePart) {
  const Tensor ids = at::arange(8 * 50).view({8, 50}) % 7;
  const MaskedTokens whole = mask_tokens(ids, 7, 0, 8, 3, 5), part = mask_tokens(ids.narrow(0, 6, 2), 7, 6, 8, 3, 5);
  EXPECT_TRUE(at::equal(whole.ids_BL.narrow(0, 6, 2), part.ids_BL));
  EXPECT_TRUE(at::equal(ids.flatten().index_select(0, whole.positions_K), whole.targets_K));
  EXPECT_TRUE(whole.ids_BL.flatten().index_select(0, whole.positions_K).eq(7).all().item<bool>());
  EXPECT_TRUE(at::equal(at::where(whole.ids_BL.eq(7), ids, whole.ids_BL), ids));
  // Row r has t in (r / 8, (r + 1) / 8], so 1 / weight does too.
  const Tensor t_K = 1 / whole.weights_K, row_K = whole.positions_K.div(50, "floor");
  EXPECT_TRUE((t_K * 8 - row_K).ge(0).logical_and((t_K * 8 - row_K).le(1 + 8 * kLeastTime)).all().item<bool>());
}

TEST(MaskedDiffusion, TheBoundOfIndependentTokensIsTheirEntropy) {
  // Tokens of position i have the distribution p_i; the best prediction at any mask is p_i.
  constexpr int64_t kRows = 64, kPositions = 40, kTokens = 5;
  auto generator = at::detail::createCPUGenerator(6);
  const Tensor log_p_LV = at::log_softmax(at::randn({kPositions, kTokens}, generator, at::TensorOptions(at::kDouble)), 1);
  const double entropy = -(log_p_LV.exp() * log_p_LV).sum().item<double>();
  std::vector<double> bounds;
  for (int64_t step = 0; step < 400; ++step) {
    const Tensor ids_BL = at::multinomial(log_p_LV.exp(), kRows, true, generator).t().contiguous();
    const MaskedTokens masked = mask_tokens(ids_BL, kTokens, 0, kRows, 1, step);
    const Tensor logits_KV = log_p_LV.to(at::kFloat).index_select(0, masked.positions_K.remainder(kPositions));
    bounds.push_back(masked_bound_sum(logits_KV, masked).item<double>() / kRows);
  }
  const Tensor all = at::tensor(bounds, at::kDouble);
  const double error = all.std().item<double>() / std::sqrt(400.0);
  EXPECT_NEAR(all.mean().item<double>(), entropy, 4 * error);
  EXPECT_LT(error, 0.01 * entropy);  // or the line above would say little
}

TEST(MaskedDiffusion, ReproducesAJointDistribution) {
  // 2 000 steps: two of the three positions leave in the same step, and are then drawn independently, in 1 sample of 700.
  const Sampler sampler = [](const TokenSampling& sampling) { return sample_masked(exact_denoiser(masked_likelihood), sampling, kGoOn); };
  EXPECT_LT(chi_square(sampler, 4000, 2000), kUnlikely);
}

TEST(MaskedDiffusion, OneStepDrawsTheMarginals) {
  std::vector<int64_t> found(kVocabulary, 0);
  for (int64_t index = 0; index < 4000; ++index) {
    const TokenSample sample = sample_masked(exact_denoiser(masked_likelihood), {kLength, kVocabulary, 1, 2, index, 1}, kGoOn);
    EXPECT_EQ(sample.evaluations.needed, 1);
    ++found.at(static_cast<size_t>(sample.ids_L[1].item<int64_t>()));
  }
  for (int64_t token = 0; token < kVocabulary; ++token) {
    double p = 0;
    for (int64_t sequence = 0; sequence < kSequences; ++sequence) p += token_of(sequence, 1) == token ? joint()[static_cast<size_t>(sequence)] : 0;
    EXPECT_NEAR(static_cast<double>(found[static_cast<size_t>(token)]) / 4000, p, 4 * std::sqrt(p * (1 - p) / 4000));
  }
}

TEST(MaskedDiffusion, TheShortcutsKeepTheLawOfTheStepwiseSampler) {
  const Sampler sampler = [](const TokenSampling& sampling) { return sample_masked_stepwise(exact_denoiser(masked_likelihood), sampling, kGoOn); };
  EXPECT_LT(chi_square(sampler, 1000, 300), kUnlikely);
}

TEST(MaskedDiffusion, EvaluatesTheNetworkOnlyWhereAMaskGoes) {
  // Of T steps those in which one of L positions leaves: T (1 - (1 - 1/T)^L) on average.
  constexpr int64_t kSteps = 50, kPositions = 40, kSamples = 200;
  int64_t evaluations = 0, head = 0;
  const TokenDenoiser denoise = [&](const Tensor&, double) -> PositionLogits {
    return [&head](const Tensor& positions_K) {
      head += positions_K.size(0);
      return at::zeros({positions_K.size(0), 4});
    };
  };
  for (int64_t index = 0; index < kSamples; ++index) {
    const TokenSample sample = sample_masked(denoise, {kPositions, 4, kSteps, 1, index, 1}, kGoOn);
    EXPECT_TRUE(sample.ids_L.lt(4).all().item<bool>());
    evaluations += sample.evaluations.needed;
  }
  const double expected = kSteps * (1 - std::pow(1 - 1.0 / kSteps, kPositions));
  EXPECT_NEAR(static_cast<double>(evaluations) / kSamples, expected, 0.5);
  EXPECT_EQ(head, kPositions * kSamples);  // every position once
}

TEST(UniformDiffusion, ReproducesAJointDistribution) {
  const Sampler sampler = [](const TokenSampling& sampling) { return sample_uniform_state(exact_denoiser(uniform_likelihood), sampling, kGoOn); };
  EXPECT_LT(chi_square(sampler, 1500, 300), kUnlikely);
}

TEST(ScoreDiffusion, ReproducesAJointDistribution) {
  const Sampler sampler = [](const TokenSampling& sampling) { return sample_absorbing_score(exact_denoiser(masked_likelihood), sampling, kGoOn); };
  EXPECT_LT(chi_square(sampler, 1500, 300), kUnlikely);
}

TEST(TokenSamplers, StopWhenTheObserverSaysSo) {
  int64_t calls = 0;
  const TokenObserver stop_at_third = [&] { return ++calls < 3; };
  EXPECT_THROW(sample_masked(exact_denoiser(masked_likelihood), {kLength, kVocabulary, 1000, 1, 0, 1}, stop_at_third), SamplingAborted);
  EXPECT_EQ(calls, 3);
}

TEST(TokenSamplers, AStrideMakesEveryThirdEvaluation) {
  const auto denoise = exact_denoiser(masked_likelihood);
  const TokenSample sample = sample_masked_stepwise(denoise, {kLength, kVocabulary, 30, 1, 0, 3}, kGoOn);
  EXPECT_EQ(sample.evaluations.needed, 30);
  EXPECT_EQ(sample.evaluations.made, 10);
  EXPECT_TRUE(sample.ids_L.lt(kVocabulary).all().item<bool>());
}

}  // namespace ldlm
