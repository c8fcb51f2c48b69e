// Who takes part in a comparison, by the names that `--against` takes. A system is a process that speaks the protocol of
// worker_process.ts: native ones run src/bench/worker.ts, PyTorch runs bench/pytorch_worker.py.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LdlmError } from '../api/errors.js';
import { packageRoot } from '../api/package_root.js';
import type { NativeBaselineConfig } from '../baselines/native.js';
import { samplingFlops, trainingFlops } from './flops.js';
import { type Task, Unavailable, WorkerProcess } from './worker_process.js';
import type { Work } from './workload.js';

/** One contestant. */
export interface System {
  name: string;
  /** @throws Unavailable if the program is not there */
  start(): WorkerProcess;
  /** Operations of one run; null where they are not counted. */
  flops(task: Task, work: Work): number | null;
}

const here = dirname(fileURLToPath(import.meta.url));

function startNative(): WorkerProcess {
  return new WorkerProcess(process.execPath, [join(here, 'worker.js')]);
}

/** LDLM_PYTHON, or python3: a Python with torch and safetensors. The script is in the repository, not in the package. */
function startPytorch(): WorkerProcess {
  const script = join(packageRoot(), 'bench', 'pytorch_worker.py');
  if (!existsSync(script)) throw new Unavailable(`${script} must exist: comparing with PyTorch takes a checkout of the repository`);
  return new WorkerProcess(process.env.LDLM_PYTHON || 'python3', [script]);
}

/** The arithmetic of this method, whoever does it. */
export function ldlmFlops(task: Task, work: Work): number | null {
  const { config, encoderShape: encoder, count, steps } = work;
  const { model, encoderLayer, selfConditioning, train } = config;
  if (task === 'train') return trainingFlops({ model, encoder, encoderLayer, selfConditioning, batch: train.batch }).total;
  return task === 'sample' ? samplingFlops(model, count, steps).total : null;
}

export const ldlm: System = { name: 'ldlm', start: startNative, flops: ldlmFlops };
/** Measures the limits of the machine beside the others. */
export const machine: System = { name: 'machine', start: startNative, flops: () => null };

/** Samplers of native/baselines: how many evaluations each makes where no number is given, and which part of them is timed (every n-th). */
const BASELINES: Readonly<Record<string, { steps: number; stride: number }>> = {
  mdlm: { steps: 1000, stride: 32 },
  'mdlm-stepwise': { steps: 1000, stride: 250 },
  duo: { steps: 64, stride: 8 },
  sedd: { steps: 128, stride: 16 },
  ar: { steps: 1, stride: 16 },
};

/** A sampler and how it is run: `steps` evaluations, every `stride`-th of which is made; for `ar` a step is a token, so there is no number of steps. */
export interface BaselineRun {
  kind: NativeBaselineConfig['kind'];
  stepwise: boolean;
  steps: number;
  stride: number;
}

/** Reads mdlm, mdlm@256 or mdlm@256/16; ar or ar/4. Null for anything else. */
export function parseBaseline(name: string): BaselineRun | null {
  const [, kind = '', steps, stride] = /^([a-z-]+)(?:@([1-9]\d{0,5}))?(?:\/([1-9]\d{0,5}))?$/.exec(name) ?? [];
  const usual = BASELINES[kind];
  if (!usual || (kind === 'ar' && steps !== undefined)) return null;
  const run = { steps: Number(steps ?? usual.steps), stride: Number(stride ?? usual.stride) };
  return { kind: kind.replace('-stepwise', '') as BaselineRun['kind'], stepwise: kind.endsWith('stepwise'), ...run };
}

const pytorch: readonly System[] = ['pytorch', 'pytorch-compiled'].map((name) => ({ name, start: startPytorch, flops: ldlmFlops }));
const pytorchAr: readonly System[] = ['pytorch-ar', 'pytorch-ar-graph'].map((name) => ({ name, start: startPytorch, flops: () => null }));

/**
 * The systems of one name after `--against`.
 * @throws LdlmError ERR_LDLM_CONFIG for a name that this task has no system of
 */
export function opponents(task: Task, name: string): readonly System[] {
  if (name === 'pytorch') return pytorch;
  if (task === 'sample' && name === 'pytorch-ar') return pytorchAr;
  if (task === 'sample' && parseBaseline(name)) return [{ name, start: startNative, flops: () => null }];
  const baselines = `, or NAME[@STEPS][/STRIDE] with NAME of ${Object.keys(BASELINES).join(', ')} (ar has no steps), like mdlm@256/16`;
  throw new LdlmError('ERR_LDLM_CONFIG', `--against must be pytorch${task === 'sample' ? `, pytorch-ar${baselines}` : ''}, got '${name}'`);
}
