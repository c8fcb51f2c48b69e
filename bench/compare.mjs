// Times the native implementation against PyTorch in one run: alternate rounds A/B/A/B, so that what else the machine does hits
// both alike. Each side is a process of its own and keeps its state between rounds. Prints a table, appends a line to
// bench/results/<op>.jsonl. Peak memory is that of the whole process; `over base` leaves out interpreter and libtorch.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { spread } from './statistics.mjs';
import { WorkerProcess } from './worker_process.mjs';
import { sizes, workload } from './workloads.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const WARM_UP = 3;
/** A round is repeated until it takes about this long. */
const ROUND_MS = 1000;

const usage = (op) => `usage: node bench/${op}.mjs [--size ${sizes.join('|')}] [--threads N] [--rounds N] [--device cpu|cuda] [--dtype float32|bfloat16] [--count N] [--steps N]
  LDLM_PYTHON=<python>  a Python with torch and safetensors (default python3)`;

function readOptions(op) {
  const text = (value) => ({ type: 'string', default: String(value) });
  const { values } = parseArgs({
    options: {
      size: text('tiny'),
      threads: text(availableParallelism()),
      rounds: text(7),
      device: text('cpu'),
      dtype: text('float32'),
      count: text(32),
      steps: text(32),
    },
  });
  const whole = (name, least) => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} must be a whole number >= ${least}, got ${values[name]}\n${usage(op)}`);
    return value;
  };
  const oneOf = (name, allowed) => {
    if (!allowed.includes(values[name])) throw new Error(`--${name} must be one of ${allowed.join(', ')}, got ${values[name]}\n${usage(op)}`);
    return values[name];
  };
  return {
    size: oneOf('size', sizes),
    device: oneOf('device', ['cpu', 'cuda']),
    dtype: oneOf('dtype', ['float32', 'bfloat16']),
    threads: whole('threads', 1),
    rounds: whole('rounds', 5),
    count: whole('count', 1),
    steps: whole('steps', 2),
  };
}

function machine() {
  const run = (command, args) => {
    try {
      return execFileSync(command, args, { cwd: here, stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim();
    } catch {
      return null;
    }
  };
  return {
    cpu: cpus()[0].model.trim(),
    cores: availableParallelism(),
    gpu: run('nvidia-smi', ['--query-gpu=name,clocks.sm', '--format=csv,noheader']),
    load1: Number(loadavg()[0].toFixed(2)),
    ompWaitPolicy: process.env.OMP_WAIT_POLICY ?? 'passive',
    commit: run('git', ['rev-parse', '--short', 'HEAD']),
  };
}

async function measure(op, work, rounds, contestants) {
  const medians = contestants.map(() => []);
  const last = [];
  const warm = [];
  for (const worker of contestants) warm.push(await worker.ask({ op, work, repeats: WARM_UP }));
  const repeats = Math.max(1, Math.min(20, Math.floor(ROUND_MS / Math.max(...warm.map((answer) => answer.medianMs)))));
  for (let round = 0; round < rounds; ++round) {
    for (const [i, worker] of contestants.entries()) {
      last[i] = await worker.ask({ op, work, repeats });
      medians[i].push(last[i].medianMs);
    }
  }
  return { repeats, medians, last };
}

function summary({ medianMs, last }) {
  const { peakRssBytes, baseRssBytes, version } = last;
  return { ms: spread(medianMs, 2), peakRssMB: Math.round(peakRssBytes / 1e6), overBaseMB: Math.round((peakRssBytes - baseRssBytes) / 1e6), version };
}

/** Runs the benchmark `op` with the options of the command line. */
export async function compare(op) {
  const options = readOptions(op);
  const folder = mkdtempSync(join(tmpdir(), 'ldlm-bench-'));
  const workers = [];
  const start = (worker) => (workers.push(worker), worker);
  try {
    const work = await workload({ ...options, folder });
    await start(WorkerProcess.native()).ask({ op: 'prepare', work, repeats: 0 });
    workers[0].close();
    const before = machine();
    const contestants = [start(WorkerProcess.native()), start(WorkerProcess.pytorch())];
    const { repeats, medians, last } = await measure(op, work, options.rounds, contestants);
    const [native, pytorch] = [0, 1].map((i) => summary({ medianMs: medians[i], last: last[i] }));
    const ratio = spread(medians[0].map((ms, round) => medians[1][round] / ms), 3);
    const result = { op, ...options, repeats, batch: work.config.train.batch, native, pytorch, speedUp: ratio, machine: before };
    mkdirSync(join(here, 'results'), { recursive: true });
    appendFileSync(join(here, 'results', `${op}.jsonl`), JSON.stringify({ date: new Date().toISOString(), ...result }) + '\n');
    print(result);
  } finally {
    for (const worker of workers) worker.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function print({ op, size, device, dtype, threads, rounds, repeats, native, pytorch, speedUp, machine: { cpu, load1 } }) {
  console.log(`${op}, ${size}, ${device} ${dtype}, ${threads} threads, ${rounds} rounds of ${repeats}; ${cpu}, load ${load1} before`);
  const row = (side) => ({ 'median ms': side.ms.median, 'min ms': side.ms.min, 'max ms': side.ms.max, 'peak MB': side.peakRssMB, 'over base MB': side.overBaseMB });
  console.table({ native: row(native), pytorch: row(pytorch) });
  console.log(`PyTorch's time over ours: ${speedUp.median} (rounds ${speedUp.min} to ${speedUp.max}); our peak memory over PyTorch's: ${(native.peakRssMB / pytorch.peakRssMB).toFixed(2)}`);
}
