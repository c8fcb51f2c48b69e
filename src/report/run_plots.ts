// Which curves of a run are shown, and what to look for in them.

import type { TrainMetrics } from '../api/train_metrics.js';
import { type Curve, linePlot, type LinePlot } from './line_plot.js';
import { type RunRecord, spread, type TimestepRecord } from './run_record.js';

/** The plots of a run as HTML, under the headings they belong to. */
export function runPlots(run: RunRecord): { heading: string; plots: string[] }[] {
  return [
    { heading: 'Losses', plots: lossPlots(run.metrics) },
    { heading: 'Latents', plots: latentPlots(run.metrics) },
    { heading: 'Timesteps', plots: timestepPlots(run.timesteps) },
    { heading: 'Schedules and speed', plots: schedulePlots(run) },
  ].map(({ heading, plots }) => ({ heading, plots: plots.map(linePlot).filter((html) => html !== '') })).filter(({ plots }) => plots.length > 0);
}

const step = 'step';

function lossPlots(metrics: readonly TrainMetrics[]): LinePlot[] {
  const oneStep = metrics.flatMap(({ accuracy }) => accuracy?.oneStep.map(({ u }) => u) ?? []);
  const times = [...new Set(oneStep)];
  return [
    {
      title: 'The three losses', x: step, logarithmic: true,
      note: 'A low denoising loss alone says nothing: look at the latents.',
      curves: [
        curve('diffusion', metrics, ({ loss }) => loss.diffusion),
        curve('hidden', metrics, ({ loss }) => loss.hidden),
        curve('token', metrics, ({ loss }) => loss.token),
      ],
    },
    {
      title: 'Denoising loss over the variance of the latents', x: step, include: [0, 1],
      note: 'Near 1 the denoiser knows no more than the mean.',
      curves: [curve('diffusion / variance', metrics, ({ loss, latent }) => loss.diffusion / latent.std ** 2)],
    },
    {
      title: 'Tokens given back', x: step, include: [0, 1],
      note: 'From clean latents, from latents with the noise of the decoder, and after one denoising step from u.',
      curves: [
        curve('clean', metrics, ({ accuracy }) => accuracy?.clean),
        curve('noisy', metrics, ({ accuracy }) => accuracy?.noisy),
        ...times.slice(0, 3).map((u) => curve(`u = ${u}`, metrics, ({ accuracy }) => accuracy?.oneStep.find((at) => at.u === u)?.accuracy)),
      ],
    },
  ];
}

function latentPlots(metrics: readonly TrainMetrics[]): LinePlot[] {
  const spectra = spread(metrics.filter(({ latent }) => latent.spectrum), 5);
  return [
    { title: 'Deviation of the latents over the data', x: step, include: [0, 1], note: 'Falls towards 0 in a collapse.', curves: [curve('deviation', metrics, ({ latent }) => latent.std)] },
    { title: 'Effective rank of the latents', x: step, include: [0], note: 'Dimensions in use; falls towards 1 in a collapse.', curves: [curve('rank', metrics, ({ latent }) => latent.effectiveRank)] },
    {
      title: 'Spectrum of the latents', x: 'dimension', logarithmic: true, ages: true, note: 'Eigenvalues of the covariance.',
      curves: spectra.map((at) => ({ name: `step ${at.step}`, points: at.latent.spectrum!.map((y, i) => ({ x: i + 1, y })) })),
    },
  ];
}

function timestepPlots(records: readonly TimestepRecord[]): LinePlot[] {
  const adaptive = records.filter(({ density }) => density.length > 1);
  const overU = (values: (record: TimestepRecord) => (number | null)[]): Curve[] =>
    adaptive.map((record) => ({ name: `step ${record.step}`, points: values(record).map((y, i, all) => ({ x: (i + 0.5) / all.length, y: y ?? NaN })) }));
  return [
    { title: 'Denoising loss by schedule time', x: 'u (0 clean, 1 noise)', include: [0], ages: true, curves: overU(({ lossByU }) => lossByU) },
    {
      title: 'Learned density of timesteps', x: 'u (0 clean, 1 noise)', include: [0], ages: true,
      note: 'Training draws u where the loss rises; 1 everywhere is uniform.',
      curves: overU(({ density }) => density.map((mass) => mass * density.length)),
    },
  ];
}

function schedulePlots({ metrics, config }: RunRecord): LinePlot[] {
  const rows = config.train.batch * config.model.maxLength;
  return [
    { title: 'Gamma: the pull of the denoiser on the encoder', x: step, include: [0], curves: [curve('gamma', metrics, ({ gamma }) => gamma)] },
    { title: 'Learning rate', x: step, include: [0], curves: [curve('lr', metrics, ({ lr }) => lr)] },
    { title: 'Norm of the gradient', x: step, logarithmic: true, note: `Clipped at ${config.train.clip}.`, curves: [curve('norm', metrics, ({ gradNorm }) => gradNorm)] },
    { title: 'Steps a second', x: step, include: [0], curves: [curve('steps/s', metrics, ({ tokensPerSecond }) => tokensPerSecond / rows)] },
    { title: 'Share of the time spent waiting for data', x: step, include: [0], curves: [curve('waiting', metrics, ({ dataWait }) => dataWait)] },
  ];
}

function curve(name: string, metrics: readonly TrainMetrics[], of: (metrics: TrainMetrics) => number | undefined): Curve {
  return { name, points: metrics.flatMap((at) => {
    const y = of(at);
    return y === undefined ? [] : [{ x: at.step, y }];
  }) };
}
