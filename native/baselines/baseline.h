// A model to compare an LDLM with, as its trainer and its sampler see it. MDLM and the autoregressive transformer can be trained; of Duo
// and SEDD there are the networks and samplers, for timing.
#pragma once

#include "baselines/token_sampler.h"
#include "generate/generate.h"
#include "model/parameters.h"

namespace ldlm {

struct BaselineConfig {
  std::string kind;    // "mdlm" | "ar" | "duo" | "sedd"
  int64_t vocabulary;  // V of the data; the mask of mdlm and sedd comes on top
  int64_t length;      // L
  int64_t layers, width, heads;
  int64_t condition;   // width of the time's features; not used by ar
  int64_t end_id;      // the end token: where an autoregressive sequence begins
};

struct BaselineRequest {
  int64_t first_index, count;
  int64_t steps;      // of the reverse process; not used by ar
  uint64_t seed;
  bool stop_at_end;   // rows hold one document: ar may stop at the end token
  bool stepwise;      // mdlm: as it is usually written, without the shortcuts of sample_masked
  int64_t stride;     // 1; more is for timing, see TokenSampling
};

struct BaselineSamples {
  Tensor ids_BL;                // int64
  EvaluationCount evaluations;  // of all samples together, of one row each; of ar, of all rows at once
};

class Baseline {
 public:
  virtual ~Baseline() = default;
  virtual void reset_parameters(uint64_t seed) = 0;
  virtual void visit(const std::string& prefix, const ParameterVisitor& visitor) = 0;
  // Sum over the rows of -log p, nats: of ar exact, of mdlm a bound that also counts the padding, which it has to generate. Rows
  // `first_row` ... of a batch of `batch` rows at step `step` of a training with `seed`.
  virtual Tensor nll_sum(const Tensor& ids_BL, const Tensor& lengths_B, int64_t first_row, int64_t batch, uint64_t seed, int64_t step) const = 0;
  virtual BaselineSamples sample(const BaselineRequest& request, const TokenObserver& observe) const = 0;
};

// Parameters are left uninitialised. A c10::ValueError for an unknown kind or sizes that do not fit.
std::unique_ptr<Baseline> make_baseline(const BaselineConfig& config, const at::TensorOptions& options);

// Reads what BaselineTrainer saved. A c10::ValueError names a tensor that is missing, of another shape, or not known.
void load_baseline(Baseline& model, const std::string& file);

}  // namespace ldlm
