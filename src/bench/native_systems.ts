// The systems that run in the native addon: for each task, a function that opens it and returns one run. A new one is a line here and
// one in systems.ts.

import type { MachineRates, NativeAddon } from '../api/native_types.js';
import { loadBaselines } from '../baselines/native.js';
import { type BaselineRun, parseBaseline } from './systems.js';
import type { Task } from './worker_process.js';
import type { Work } from './workload.js';

/** What a repeat can tell beside its time. */
export interface Told {
  rates?: MachineRates;
  evaluationsAtMs?: number[];
  /** Part of the work that was done, in (0, 1]: the time of the whole is that of the repeat over it. */
  share?: number;
}
/** One repeat: a step, a call of the sampler. It resolves when the device is done. */
export type Run = () => Promise<void | Told>;
type Open = (native: NativeAddon, work: Work) => Promise<Run>;

/** About this long a measurement of the machine's limits takes. */
const LIMITS_SECONDS = 0.7;
/** Width of the time condition of MDLM's, Duo's and SEDD's published networks. */
const CONDITION_WIDTH = 128;

const ours: Readonly<Record<string, Partial<Record<Task, Open>>>> = {
  machine: { limits: async (native, { device, dtype }) => async () => ({ rates: await native.measureMachineRates({ device, dtype, seconds: LIMITS_SECONDS }) }) },
  ldlm: { train: openTraining, sample: openSampling },
};

/** Opens a system that systems.ts names. */
export function openNative(native: NativeAddon, system: string, task: Task, work: Work): Promise<Run> {
  const baseline = parseBaseline(system);
  return baseline ? openBaseline(baseline, work) : ours[system]![task]!(native, work);
}

async function openTraining(native: NativeAddon, work: Work): Promise<Run> {
  const encoder = await native.PretrainedEncoder.load({ folder: work.encoder, config: work.encoderShape, device: work.device });
  const trainer = await native.JointTrainer.create(work.config, encoder, work.device);
  const [ids, lengths] = [Int32Array.from(work.ids), Int32Array.from(work.lengths)];
  await trainer.observeStatistics(ids, lengths);
  await trainer.finishStatistics();
  // A step is queued on a GPU, not waited for; a number that comes back from there waits.
  const wait = async (): Promise<unknown> => (work.device === 'cuda' ? encoder.hidden(Int32Array.of(0), Int32Array.of(1), 0) : undefined);
  return async () => {
    await trainer.step(ids, lengths);
    await wait();
  };
}

async function openSampling(native: NativeAddon, { config, weights, device, dtype, count, steps }: Work): Promise<Run> {
  const { model: sizes, scheduleD } = config;
  const model = await native.Model.load({ weights, config: sizes, scheduleD, timesteps: null, device, dtype, samplingOnly: false });
  const request = { firstIndex: 0, count, steps, sampler: 'ddim', eta: 1, temperature: 1, uniformGrid: false, uMin: 0.05, seed: 0, previewEvery: 0 } as const;
  return async () => {
    const evaluationsAtMs: number[] = [];
    await model.sample(request, 1, () => evaluationsAtMs.push(performance.now()));
    return device === 'cpu' ? { evaluationsAtMs } : undefined; // on a GPU an evaluation is queued, and its end not seen
  };
}

/**
 * A sampler of native/baselines with as many blocks, heads and tokens as the LDLM's denoiser. Of a long trajectory only every stride-th
 * evaluation of the network is made, spread evenly.
 */
async function openBaseline({ kind, stepwise, steps, stride }: BaselineRun, { config, count }: Work): Promise<Run> {
  const { dit, maxLength: length, vocabulary } = config.model;
  const model = await loadBaselines().Baseline.load({ weights: null, config: { kind, vocabulary, length, ...dit, condition: CONDITION_WIDTH, endId: vocabulary - 1 } });
  const request = { firstIndex: 0, count, steps, seed: 0, stopAtEnd: false, stepwise, stride };
  return async () => {
    const { evaluations, evaluationsMade } = await model.sample(request, count);
    return { share: evaluationsMade / evaluations };
  };
}
