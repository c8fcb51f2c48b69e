// How text comes out: noise -> denoise -> decode once -> token ids. Knows no tokenizer.
#pragma once

#include "diffusion/noise_schedule.h"
#include "diffusion/timestep_sampler.h"
#include "generate/denoiser_graph.h"
#include "model/ldlm.h"

namespace ldlm {

enum class SamplerKind { kDdim, kHeun, kDpmpp, kSde };

struct SampleRequest {
  int64_t first_index, count;  // sample numbers first_index ... first_index + count - 1, one batch
  int64_t steps;               // evaluations of the denoiser, at most
  SamplerKind sampler;
  double eta;                  // kDdim and kDpmpp: 0 deterministic, 1 ancestral
  double temperature;          // deviation of all noise, the initial and the fresh; 1 is what the model was trained for
  bool uniform_grid;           // schedule times evenly in u, not through the learned warp
  double u_min;                // schedule time of the last evaluation
  uint64_t seed;
  int64_t preview_every;       // decode the current estimate every so many evaluations; 0: never
  int64_t together = 1;        // samples that may go through the denoiser at once on a CPU, as samples_together() found
};

// Called after every evaluation with its number from 1; `preview_BL` is defined when one is due. Returns false to stop.
using SampleObserver = std::function<bool(int64_t evaluation, const Tensor& preview_BL)>;

// Thrown when the observer returns false.
struct SamplingAborted : std::exception {
  const char* what() const noexcept override { return "sampling was aborted"; }
};

struct SampleResult {
  Tensor ids_BL;  // int64, on the CPU
  int64_t evaluations;
};

// A sample is a function of (weights, seed, its number, steps, sampler, eta, temperature, grid) and not of the batch: the noise comes by
// counter, and on a CPU every sample goes through the networks alone, or with so few others that nothing changes (samples_together).
// `graphs`: those of this model, kept between calls; without them a GPU gets kernel after kernel.
SampleResult generate(const LDLM& model, const NoiseSchedule& schedule, const TimestepSampler& timesteps, const SampleRequest& request,
                      const SampleObserver& observe, DenoiserGraphs* graphs = nullptr);

// How many samples the denoiser may take at once on this CPU so that each comes out bit by bit as it would alone: 4, 2 or 1. Products of
// several samples' rows are faster, but their rounding may depend on the number of rows; which it does not with most sizes and oneDNN.
// Found by trying it, at the price of 8 to 12 evaluations of a sample.
int64_t samples_together(const LDLM& model);

// Runs the jobs 0 ... count - 1 on a CPU, in inference mode: one core each, or one after another on all cores where a sample is large
// (`activations`, positions x width). What a job computes does not depend on the others.
void for_each_job(int64_t activations, int64_t count, const std::function<void(int64_t)>& job);

// Applies `network` to one sample of the batch at a time on a CPU (several at once, one core each, for small networks), and to the whole
// batch elsewhere. Inputs and output have the batch as first dimension. With `together` > 1, that many samples at a time as long as
// no core is left without.
Tensor for_each_sample(const ModelConfig& config, const std::vector<Tensor>& inputs,
                       const std::function<Tensor(const std::vector<Tensor>&)>& network, int64_t together = 1);

}  // namespace ldlm
