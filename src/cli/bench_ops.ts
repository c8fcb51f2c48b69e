// `ldlm bench ops`: is every op of native/ops worth its code? The rule of the house: an op below 1.2 times its reference goes.

import { columns } from '../bench/columns.js';
import { matrixRate } from '../bench/compare.js';
import { appendResult, describeMachine } from '../bench/record.js';
import { median, spread } from '../bench/statistics.js';
import { createWork, type WorkOptions } from '../bench/workload.js';
import { loadNative } from '../api/native.js';
import type { MachineRates, NativeOpTimes, NativePassTimes } from '../api/native_types.js';
import { setThreads } from '../api/threads.js';

export interface OpsFlags extends Omit<WorkOptions, 'threads' | 'count' | 'steps'> {
  threads?: number;
  repeats: number;
  json: boolean;
  out?: string;
}

const RULE = 1.2;
const LIMITS_SECONDS = 2;
/** One repeat of an op is short: a round of the other benchmarks is many of them. */
const CALLS_A_ROUND = 5;

export async function opsAction(flags: OpsFlags & { threads: number }): Promise<void> {
  const native = loadNative();
  setThreads(flags.threads);
  const machine = describeMachine();
  const { config, device, dtype } = await createWork({ ...flags, count: 1, steps: 2 }, '');
  const { batch } = config.train;
  const rates = await native.measureMachineRates({ device, dtype: 'float32', seconds: LIMITS_SECONDS });
  const times = await native.benchOps({ model: config.model, batch, device, repeats: CALLS_A_ROUND * flags.repeats });
  const ops = times.flatMap((time) => passes(time, rates));
  const { preset, threads } = flags;
  const result = { preset, length: config.model.maxLength, width: config.model.dit.width, batch, device, dtype, threads, limits: rates, ops, machine };
  if (flags.out !== undefined) await appendResult(flags.out, 'ops', result);
  process.stdout.write(flags.json ? JSON.stringify({ op: 'ops', ...result }) + '\n' : describe(result));
}

/** Forward and backward pass of one op. */
function passes({ op, shape, forward, backward }: NativeOpTimes, rates: MachineRates) {
  const ratio = (kernel: Float64Array, reference: Float64Array): number => Number(median([...kernel].map((ms, i) => reference[i]! / ms)).toFixed(2));
  const pass = (name: 'forward' | 'backward', times: NativePassTimes) => ({
    op,
    shape,
    pass: name,
    kernelMs: spread([...times.kernelMs], 4),
    referenceMs: spread([...times.referenceMs], 4),
    speedUp: ratio(times.kernelMs, times.referenceMs),
    cpuRatio: ratio(times.kernelCpuMs, times.referenceCpuMs),
    // Of what binds it: matrix products by their rate, the rest by the memory's. Data that stays in cache can pass 100 %.
    shareOfLimit: Number((Math.max(times.flops / (matrixRate(rates) * 1e6), times.bytes / (rates.bandwidth * 1e6)) / median([...times.kernelMs])).toFixed(3)),
  });
  return [pass('forward', forward), ...(backward ? [pass('backward', backward)] : [])];
}

interface OpsResult {
  threads: number;
  limits: MachineRates;
  ops: ReturnType<typeof passes>;
  machine: ReturnType<typeof describeMachine>;
}

function describe({ threads, limits, ops, machine }: OpsResult): string {
  const head = ['op', 'shape', 'pass', 'ms', 'reference ms', 'speed-up', 'by CPU time', 'of the limit', `${RULE}x`];
  const rows = ops.map(({ op, shape, pass, kernelMs, referenceMs, speedUp, cpuRatio, shareOfLimit }) => [
    ...[op, shape, pass, `${kernelMs.median}`, `${referenceMs.median}`, speedUp.toFixed(2), cpuRatio.toFixed(2)],
    `${(100 * shareOfLimit).toFixed(0)} %`,
    Math.min(speedUp, cpuRatio) >= RULE ? 'kept' : Math.max(speedUp, cpuRatio) < RULE ? 'below' : 'unclear',
  ]);
  return [
    `${threads} threads; ${machine.cpu}, load ${machine.load1} before; limits: ${matrixRate(limits).toFixed(0)} GFLOP/s, ${limits.bandwidth.toFixed(1)} GB/s`,
    '',
    columns([head, ...rows]),
    `An op that is nowhere ${RULE} times as fast as its reference goes; one that is slower in one place should take the reference there.\n`,
  ].join('\n');
}
