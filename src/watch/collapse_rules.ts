// The rules of the collapse alarm. In a collapsed run the denoising loss and the reconstruction from clean latents look perfect, so each
// rule looks where the collapse shows. The thresholds stand between runs that went well and runs that collapsed; docs/log.md,
// "collapse alarm", has the figures of both.

import type { TrainMetrics } from '../api/train_metrics.js';

/** What the rules must know of the configuration. */
export interface AlarmContext {
  /** D */
  latentWidth: number;
  /** sigma_dec */
  decoderNoise: number;
  /** Steps over which the learning rate rises. */
  warmupSteps: number;
}

/** Says what is seen at the last of the logged steps, or null. */
type Rule = (history: readonly TrainMetrics[], context: AlarmContext) => string | null;

export interface CollapseRule {
  rule: Rule;
  meaning: string;
  remedy: string;
}

export const collapseRules = {
  'latents-shrink': {
    // Runs that went well kept 0.72 or more of their largest deviation; naive training fell below a third within 80 steps.
    rule: (history) => {
      const [now, most] = [history.at(-1)!.latent.std, largest(history, ({ latent }) => latent.std)];
      return now < most / 3 ? `the deviation of the latents over the data is ${figure(now)}, it was ${figure(most)}` : null;
    },
    meaning: 'the encoder makes all texts alike, which is easy to denoise and says little: samples will repeat themselves',
    remedy: 'a smaller recipe.encoderWarmup.max (0.1), a longer recipe.encoderWarmup, recipe.decoderNoise above 0, recipe.decoderLoss mse',
  },
  'loss-too-good': {
    // L_diff over the variance of z0 is 0.8 to 1.1 in the first steps. Runs that went well brought it to 0.5; L_diff itself did not fall below 0.36 of its start.
    rule: (history) => {
      const [first, now] = [history[0]!, history.at(-1)!];
      const relative = relativeLoss(now);
      if (!(now.loss.diffusion < 0.25 * first.loss.diffusion && relative > 0.7 * relativeLoss(first))) return null;
      return `the denoising loss fell from ${figure(first.loss.diffusion)} to ${figure(now.loss.diffusion)}, yet it is still ${figure(relative)} of the variance of the latents`;
    },
    meaning: 'the loss is low because the latents shrink, not because the denoiser has learnt',
    remedy: 'a smaller recipe.encoderWarmup.max, recipe.decoderNoise above 0, recipe.decoderLoss mse; judge by the latents, not by this loss',
  },
  'low-rank': {
    // The lowest of a run that went well was D / 5.
    rule: (history, { latentWidth }) => {
      const { effectiveRank } = history.at(-1)!.latent;
      return effectiveRank < latentWidth / 16 ? `the latents use ${effectiveRank.toFixed(1)} of ${latentWidth} dimensions (effective rank)` : null;
    },
    meaning: 'the latents lie in a few directions: what a text says beyond them is lost, and samples will be alike',
    remedy: 'a smaller recipe.encoderWarmup.max, more recipe.decoderNoise, another encoder.layer; check the hidden states with `ldlm hidden`',
  },
  'fragile-latents': {
    // From one denoising step at u = 0.2, runs that went well decoded 0.83 or more of what clean latents give once that is above 0.7; naive training 0.29.
    rule: (history) => {
      const accuracy = history.at(-1)!.accuracy;
      const lowest = accuracy?.oneStep[0];
      if (!lowest || accuracy.clean < 0.7 || lowest.accuracy > accuracy.clean / 2) return null;
      return `clean latents give ${percent(accuracy.clean)} of the tokens back, latents with a little noise (u = ${lowest.u}) denoised in one step only ${percent(lowest.accuracy)}`;
    },
    meaning: 'neighbouring latents stand for other texts, so that every error of the denoiser becomes a wrong word',
    remedy: 'more recipe.decoderNoise, recipe.decoderLoss mse, a smaller recipe.encoderWarmup.max',
  },
  'noise-breaks-decoding': {
    // Runs that went well kept 0.9 of the clean accuracy once that was above 0.7.
    rule: (history, { decoderNoise }) => {
      const accuracy = history.at(-1)!.accuracy;
      if (decoderNoise === 0 || !accuracy || accuracy.clean < 0.7 || accuracy.noisy > 0.6 * accuracy.clean) return null;
      return `clean latents give ${percent(accuracy.clean)} of the tokens back, latents with noise of deviation ${decoderNoise} only ${percent(accuracy.noisy)}`;
    },
    meaning: 'the latents of different texts are closer to each other than the noise that the decoder is trained with',
    remedy: 'a smaller recipe.encoderWarmup.max; less recipe.decoderNoise if that was raised; a wider model.latentWidth',
  },
  'reconstruction-falls': {
    rule: (history) => {
      const accuracy = history.at(-1)!.accuracy;
      const best = largest(history, (metrics) => metrics.accuracy?.clean ?? 0);
      return accuracy && accuracy.clean < best - 0.05 ? `clean latents give ${percent(accuracy.clean)} of the tokens back, it was ${percent(best)}` : null;
    },
    meaning: 'the pull of the denoiser on the encoder takes words out of the latents',
    remedy: 'a smaller recipe.encoderWarmup.max or a longer recipe.encoderWarmup; a lower train.lr if the losses rise too',
  },
  'token-loss-stays': {
    // Runs that went well had a tenth of their first token loss after four warmups; wikitext with 30 522 tokens a third.
    rule: (history, { warmupSteps }) => {
      const [first, now] = [history[0]!, history.at(-1)!];
      if (history.length < 10 || now.step < Math.max(100, 4 * warmupSteps)) return null;
      const lately = median(history.slice(-5).map(({ loss }) => loss.token));
      return lately > 0.8 * first.loss.token ? `the token loss is ${figure(lately)}, it began at ${figure(first.loss.token)}` : null;
    },
    meaning: 'the decoder does not learn to name the tokens: hidden states without the words in them, or a learning rate that does not fit',
    remedy: 'another encoder.layer (check it with `ldlm hidden`), data made with the tokenizer of the encoder, another train.lr',
  },
  'loss-rises': {
    rule: (history) => {
      if (history.length < 10) return null;
      const lately = median(history.slice(-5).map(({ loss }) => loss.total));
      const best = history.reduce((least, { loss }) => Math.min(least, loss.total), Infinity); // a call with so many arguments would fail
      const [first] = history;
      return lately > 2 * best && lately > 0.3 * first!.loss.total ? `the loss is ${figure(lately)}, it was ${figure(best)}` : null;
    },
    meaning: 'the training diverges',
    remedy: 'a lower train.lr or train.clip from an earlier checkpoint on; a longer train.warmupSteps',
  },
  'gradient-explodes': {
    // The largest norm of a run that went well was 3 times its median.
    rule: (history) => {
      if (history.length < 10) return null;
      const [lately, before] = [median(history.slice(-3).map(({ gradNorm }) => gradNorm)), median(history.slice(-200, -3).map(({ gradNorm }) => gradNorm))];
      return lately > 10 * before ? `the norm of the gradient is ${figure(lately)}, usual in this run is ${figure(before)}` : null;
    },
    meaning: 'steps are clipped to noise, and the training may diverge',
    remedy: 'a lower train.lr, a longer train.warmupSteps; look for broken rows in the data (`ldlm data stats`)',
  },
  'samples-repeat': {
    rule: (history) => {
      const samples = history.at(-1)!.samples ?? [];
      if (samples.length < 2) return null;
      const duplicates = 1 - new Set(samples).size / samples.length;
      return duplicates >= 0.5 ? `${percent(duplicates)} of ${samples.length} samples repeat an earlier one` : null;
    },
    meaning: 'the model has few texts to say: a collapse, or a denoiser at its very beginning',
    remedy: 'waiting for the next checkpoint, then a smaller recipe.encoderWarmup.max, recipe.decoderNoise above 0, recipe.adaptiveTimesteps',
  },
} satisfies Record<string, CollapseRule>;

function relativeLoss({ loss, latent }: TrainMetrics): number {
  return loss.diffusion / latent.std ** 2;
}

function largest(history: readonly TrainMetrics[], of: (metrics: TrainMetrics) => number): number {
  return history.reduce((most, metrics) => Math.max(most, of(metrics)), 0);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

function figure(value: number): string {
  return String(Number(value.toPrecision(2)));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
