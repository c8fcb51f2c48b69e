// Who takes part in a comparison, by the names that `--against` takes. A system is a process that speaks the protocol of
// worker_process.ts: native ones run src/bench/worker.ts, PyTorch runs bench/pytorch_worker.py.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../api/package_root.js';
import { samplingFlops, trainingFlops } from './flops.js';
import { type Task, Unavailable, WorkerProcess } from './worker_process.js';
import type { Work } from './workload.js';

/** One contestant. */
export interface System {
  name: string;
  tasks: readonly Task[];
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

const both: readonly Task[] = ['train', 'sample'];

export const ldlm: System = { name: 'ldlm', tasks: both, start: startNative, flops: ldlmFlops };
/** Measures the limits of the machine beside the others. */
export const machine: System = { name: 'machine', tasks: ['limits'], start: startNative, flops: () => null };

/** Opponents: what `--against NAME` starts. */
export const opponents: Readonly<Record<string, readonly System[]>> = {
  pytorch: [
    { name: 'pytorch', tasks: both, start: startPytorch, flops: ldlmFlops },
    { name: 'pytorch-compiled', tasks: both, start: startPytorch, flops: ldlmFlops },
  ],
};

/** The names that `--against` takes for a task. */
export function opponentNames(task: Task): string[] {
  return Object.keys(opponents).filter((name) => opponents[name]!.some((system) => system.tasks.includes(task)));
}
