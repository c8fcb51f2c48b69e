// A logged step as TensorBoard values: every figure of metrics.jsonl as a curve, and at checkpoints the loss and the density of timesteps
// over u and the spectrum of the latents. Sampled texts come by themselves.

import type { CheckpointState } from '../api/run_folder.js';
import type { TrainMetrics } from '../api/train_metrics.js';
import type { LdlmConfig } from '../config/types.js';
import { type CollapseWarning, describeWarning } from './collapse_alarm.js';
import type { Histogram, SummaryValue } from './tensorboard_event.js';

export function summaryOf(metrics: TrainMetrics, config: LdlmConfig, state: CheckpointState | undefined): SummaryValue[] {
  const { spectrum } = metrics.latent;
  return [
    ...Object.entries(curvesOf(metrics, config)).map(([tag, scalar]) => ({ tag, scalar })),
    ...(state ? timestepHistograms(state) : []),
    ...(spectrum ? [{ tag: 'latent/spectrum', histogram: bars(spectrum.length, spectrum) }] : []),
    ...warningTexts(metrics.warnings ?? []),
  ];
}

export function samplesText(samples: readonly string[]): SummaryValue[] {
  return [{ tag: 'samples', texts: samples.map(asWritten) }];
}

export function warningTexts(warnings: readonly CollapseWarning[]): SummaryValue[] {
  return warnings.map((warning) => ({ tag: `warnings/${warning.kind}`, texts: [describeWarning(warning)] }));
}

export function configurationText(config: LdlmConfig): SummaryValue {
  return { tag: 'configuration', texts: [asWritten(JSON.stringify(config, null, 2))] };
}

function curvesOf({ loss, lr, gamma, gradNorm, latent, accuracy, tokensPerSecond, dataWait }: TrainMetrics, { train, model }: LdlmConfig): Record<string, number> {
  const curves: Record<string, number> = {
    'loss/diffusion': loss.diffusion,
    'loss/hidden': loss.hidden,
    'loss/token': loss.token,
    'loss/total': loss.total,
    'training/lr': lr,
    'training/gamma': gamma,
    'training/gradient_norm': gradNorm,
    'latent/deviation': latent.std,
    'latent/effective_rank': latent.effectiveRank,
    'speed/steps_per_second': tokensPerSecond / (train.batch * model.maxLength),
    'speed/tokens_per_second': tokensPerSecond,
    'speed/data_wait': dataWait,
  };
  if (!accuracy) return curves;
  Object.assign(curves, { 'accuracy/clean': accuracy.clean, 'accuracy/noisy': accuracy.noisy });
  for (const { u, accuracy: share, relativeError } of accuracy.oneStep) {
    Object.assign(curves, { [`accuracy/one_step_u_${u}`]: share, [`denoising_error/u_${u}`]: relativeError });
  }
  return curves;
}

/** Empty where the timesteps are uniform: there is one bin then, and nothing to see. */
function timestepHistograms({ lossByTimestep, timesteps: { cumulative } }: CheckpointState): SummaryValue[] {
  if (lossByTimestep.length < 2) return [];
  const density = lossByTimestep.map((_, i) => cumulative[i + 1]! - cumulative[i]!);
  return [
    { tag: 'timesteps/loss_by_u', histogram: bars(1, lossByTimestep.map((loss) => loss ?? 0)) },
    { tag: 'timesteps/density', histogram: bars(1, density) },
  ];
}

/** Bars of equal width from 0 to `end`. */
function bars(end: number, heights: readonly number[]): Histogram {
  return { from: 0, ends: heights.map((_, i) => (end * (i + 1)) / heights.length), heights };
}

/** TensorBoard takes text for Markdown; indented by four it is shown as it is. */
function asWritten(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
