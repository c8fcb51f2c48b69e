// The schedules of a run as closed forms, for tables and pictures. What trains and samples computes them natively
// (native/diffusion); u is schedule time, t uniform time, both 0 (clean) to 1 (noise).

import type { LdlmConfig } from './types.js';

/** a(u), the share of the signal in x_u, for the tan-d schedule. */
export function signalAt(u: number, d: number): number {
  const [c, s] = [Math.cos((Math.PI / 2) * u), d * Math.sin((Math.PI / 2) * u)];
  return c / Math.hypot(c, s);
}

/** gamma after the share `x` of the encoder warmup. */
export function gammaAt(x: number, { k, c, min, max }: NonNullable<LdlmConfig['recipe']['encoderWarmup']>): number {
  const r = (at: number): number => 1 / (1 + Math.exp(-k * (at - c)));
  return min + ((max - min) * (r(x) - r(0))) / (r(1) - r(0));
}

/** u = F^-1(t); `cumulative` is F at the bin edges, [bins + 1]. */
export function scheduleTime(cumulative: readonly number[], t: number): number {
  const bins = cumulative.length - 1;
  const i = Math.min(bins - 1, Math.max(0, cumulative.findIndex((value) => value > t) - 1));
  const bin = t >= 1 ? bins - 1 : i;
  const [low, high] = [cumulative[bin]!, cumulative[bin + 1]!];
  return Math.min(1, (bin + (t - low) / (high - low)) / bins);
}

/** t = F(u). */
export function uniformTime(cumulative: readonly number[], u: number): number {
  const bins = cumulative.length - 1;
  const bin = Math.min(bins - 1, Math.floor(u * bins));
  return cumulative[bin]! + (cumulative[bin + 1]! - cumulative[bin]!) * (u * bins - bin);
}

/** Where a sampler of one evaluation an interval evaluates the denoiser: from 1 down to `last`, uniform in t. */
export function samplingGrid(cumulative: readonly number[], steps: number, last: number): number[] {
  const lowest = uniformTime(cumulative, last);
  return Array.from({ length: steps }, (_, i) => (i === 0 ? 1 : scheduleTime(cumulative, 1 + ((lowest - 1) * i) / (steps - 1))));
}
