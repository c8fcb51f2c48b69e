// Times systems in one run: rounds in turns (A, B, A, B, ...), so that what else the machine does hits all alike, and the machine's limits
// measured in every round. Ratios and shares are taken within a round.

import { LdlmError } from '../api/errors.js';
import type { MachineRates, NativeProfileEntry } from '../api/native_types.js';
import { ldlm, machine, type System } from './systems.js';
import { median, type Spread, spread } from './statistics.js';
import { type Task, type Timings, Unavailable, WorkerProcess } from './worker_process.js';
import type { Work } from './workload.js';

/** Runs before anything counts; torch.compile compiles in the first ones. One that takes long is warm after itself. */
const WARM_UP = 3;
/** A GPU's libraries prepare a kernel for every number of rows that they meet, and a step's number of self-conditioned rows is random. */
const GPU_TRAINING_WARM_UP = 24;
const LONG_MS = 10_000;
/** A round is repeated until it takes about this long. */
const ROUND_MS = 1000;
const MOST_REPEATS = 20;

export interface CompareOptions {
  task: 'train' | 'sample';
  work: Work;
  against: readonly System[];
  rounds: number;
  /** Ends with a profile of our system. */
  profile: boolean;
  /** `done` of stagesOf(options) stages; what comes next. */
  onProgress?: (done: number, what: string) => void;
  signal?: AbortSignal;
}

export interface SystemResult {
  /** Of one run: an optimiser step, or all samples. */
  ms: Spread;
  /** sample: of one evaluation of the denoiser with the solver's update, decoding apart. */
  evaluationMs?: Spread;
  /** Operations over time, over the rate of matrix products in the same round; null where operations are not counted. */
  shareOfLimit: Spread | null;
  /** CPU time of one run, all threads. On a machine that does other work, it and its share say more than the time on the wall. */
  cpuMs: Spread;
  /** The same share within CPU time: operations in a second of it, over those of large matrix products. Idle cores do not show here. */
  shareOfCore: Spread | null;
  tokensPerSecond: number;
  /** Where a part of the work was timed for the whole, which part. */
  share?: number;
  peakMB: number;
  /** Without interpreter and libtorch. */
  overBaseMB: number;
  version: string;
}

export interface Profile {
  repeats: number;
  ms: Spread;
  entries: NativeProfileEntry[];
}

export interface Comparison {
  systems: Record<string, SystemResult>;
  /** Time of the opponent over ours, by opponent. */
  speedUp: Record<string, Spread>;
  /** CPU time of the opponent over ours. */
  cpuRatio: Record<string, Spread>;
  /** Systems that could not take part, and why. */
  unavailable: Record<string, string>;
  limits: Record<keyof MachineRates, Spread>;
  repeats: number;
  profile: Profile | null;
}

interface Contestant {
  system: System;
  worker: WorkerProcess;
  /** Answers, a round each. */
  rounds: Timings[];
}

/** Stages of a comparison: a warm-up of each system, and the rounds. */
export function stagesOf({ against, rounds }: Pick<CompareOptions, 'against' | 'rounds'>): number {
  return 1 + against.length + rounds;
}

/** Runs the comparison. A system that cannot run here is reported, not fatal, unless it is our own. */
export async function compare(options: CompareOptions): Promise<Comparison> {
  const { task, work, rounds, signal } = options;
  const unavailable: Record<string, string> = {};
  const workers: WorkerProcess[] = [];
  const open = async (system: System, asked: Task): Promise<Contestant> => {
    const worker = system.start();
    workers.push(worker);
    await worker.open(asked, system.name, work);
    return { system, worker, rounds: [] };
  };
  const leave = (system: System, error: unknown): void => {
    if (!(error instanceof Unavailable) || system === ldlm) throw error;
    unavailable[system.name] = error.message;
  };
  let done = 0;
  const report = (what: string): void => {
    if (signal?.aborted) throw new LdlmError('ERR_LDLM_ABORTED', 'the comparison was stopped; nothing was written');
    options.onProgress?.(done++, what);
  };
  try {
    const limits = await open(machine, 'limits');
    const contestants: Contestant[] = [];
    let slowestMs = 0;
    for (const system of [ldlm, ...options.against]) {
      report(`warming up ${system.name}`);
      try {
        const contestant = await open(system, task);
        slowestMs = Math.max(slowestMs, await warmUp(contestant.worker, task === 'train' && work.device === 'cuda' ? GPU_TRAINING_WARM_UP : WARM_UP));
        contestants.push(contestant);
      } catch (error) {
        leave(system, error);
      }
    }
    const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.floor(ROUND_MS / slowestMs)));
    for (let round = 0; round < rounds; round++) {
      report(`round ${round + 1} of ${rounds}`);
      limits.rounds.push(await limits.worker.run(1));
      for (const each of [...contestants]) {
        try {
          each.rounds.push(await each.worker.run(repeats));
        } catch (error) {
          leave(each.system, error);
          contestants.splice(contestants.indexOf(each), 1);
        }
      }
    }
    report('done');
    const profile = options.profile ? profileOf(await contestants[0]!.worker.run(repeats, true)) : null;
    return { ...summarise(options, limits, contestants), unavailable, repeats, profile };
  } finally {
    for (const worker of workers) worker.close();
  }
}

/** The time of a run once it is warm, ms. */
async function warmUp(worker: WorkerProcess, runs: number): Promise<number> {
  const start = performance.now();
  const [first] = (await worker.run(1)).timesMs;
  return performance.now() - start > LONG_MS ? first! : median((await worker.run(runs - 1)).timesMs);
}

function profileOf({ timesMs, profile }: Timings): Profile {
  return { repeats: timesMs.length, ms: spread(timesMs, 2), entries: profile! };
}

function summarise({ task, work }: CompareOptions, machineRounds: Contestant, contestants: readonly Contestant[]) {
  const rates = machineRounds.rounds.map((answer) => answer.rates!);
  const systems = Object.fromEntries(contestants.map((each) => [each.system.name, resultOf(each, task, work, rates)]));
  const ratios = (of: 'timesMs' | 'cpuMs'): Record<string, Spread> => {
    const ours = contestants[0]!.rounds.map((answer) => median(answer[of]));
    return Object.fromEntries(
      contestants.slice(1).map(({ system, rounds }) => [system.name, spread(rounds.map((answer, i) => median(answer[of]) / ours[i]!), 3)]),
    );
  };
  const limit = (name: keyof MachineRates): Spread => spread(rates.map((rate) => rate[name]), 1);
  const limits: Comparison['limits'] = { linear: limit('linear'), mm: limit('mm'), bandwidth: limit('bandwidth'), core: limit('core') };
  return { systems, speedUp: ratios('timesMs'), cpuRatio: ratios('cpuMs'), limits };
}

function resultOf({ system, rounds }: Contestant, task: Task, work: Work, rates: readonly MachineRates[]): SystemResult {
  const ms = rounds.map(({ timesMs }) => median(timesMs));
  const cpu = rounds.map(({ cpuMs }) => median(cpuMs));
  const flops = system.flops(task, work);
  const last = rounds.at(-1)!;
  const { batch } = work.config.train;
  const tokens = (task === 'train' ? batch : work.count) * work.config.model.maxLength;
  return {
    ms: spread(ms, 2),
    ...(last.evaluationMs ? { evaluationMs: spread(rounds.map(({ evaluationMs }) => median(evaluationMs!)), 3) } : {}),
    shareOfLimit: flops === null ? null : spread(ms.map((time, i) => flops / (time * 1e6 * matrixRate(rates[i]!))), 3),
    cpuMs: spread(cpu, 2),
    shareOfCore: flops === null ? null : spread(cpu.map((time, i) => flops / (time * 1e6 * rates[i]!.core)), 3),
    tokensPerSecond: Number(((1000 * tokens) / median(ms)).toPrecision(4)),
    ...(last.share === undefined ? {} : { share: Number(last.share.toPrecision(3)) }),
    peakMB: Math.round(last.peakRssBytes / 1e6),
    overBaseMB: Math.round((last.peakRssBytes - last.baseRssBytes) / 1e6),
    version: last.version,
  };
}

/** GFLOP/s: the limit is what the better library reaches. */
export function matrixRate({ linear, mm }: MachineRates): number {
  return Math.max(linear, mm);
}
