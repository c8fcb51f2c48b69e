// Scoring and MAUVE against PyTorch and mauve-text, in turns. `LDLM_PYTHON=<python> node bench/scoring.mjs [--texts N] [--rounds N]`
//   score: log-likelihoods and last hidden states of N texts of 128 tokens by a scorer of GPT-2 small's size, random weights
//   mauve: mauve/v1 of N samples against N references, from those hidden states, 5 seeds
// The Python must have torch, safetensors, numpy, mauve-text and faiss-cpu. Appends a line to bench/results/scoring.jsonl.

import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadNative } from '../dist/api/native.js';
import { gpt2Shapes, writeRandomWeights } from '../dist/bench/random_weights.js';
import { resolveEncoder } from '../dist/config/encoders.js';
import { spread } from '../dist/bench/statistics.js';
import { WorkerProcess } from '../dist/bench/worker_process.js';
import { scoreMauve } from '../dist/eval/mauve.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { texts: { type: 'string', default: '1000' }, rounds: { type: 'string', default: '3' } } });
const [texts, rounds] = [Number(values.texts), Number(values.rounds)];
const [length, together, seeds] = [128, 32, [1, 2, 3, 4, 5]];
const shape = await resolveEncoder('gpt2'); // its sizes; nothing is fetched

const native = loadNative();
const threads = native.threads();
const python = () => new WorkerProcess(process.env.LDLM_PYTHON || 'python3', [join(here, 'pytorch_scoring.py')]);

/** Tokens of a text are near one number of its own, so that texts differ from each other. */
function randomIds(count) {
  let state = 1;
  const next = (below) => Math.floor(((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * below);
  const ids = new Int32Array(count * length);
  for (let row = 0; row < count; row++) {
    const first = next(shape.vocabulary - 1000);
    for (let i = 0; i < length; i++) ids[row * length + i] = first + next(1000);
  }
  return ids;
}

async function scoreAll(scorer, ids) {
  const hidden = [];
  for (let at = 0; at < ids.length; at += together * length) {
    const batch = ids.slice(at, at + together * length);
    const lengths = new Int32Array(batch.length / length).fill(length);
    hidden.push((await scorer.score(batch, lengths)).lastHidden);
  }
  const width = shape.hiddenWidth;
  return hidden.flatMap((part) => Array.from({ length: part.length / width }, (_, row) => part.slice(row * width, (row + 1) * width)));
}

async function timed(work) {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, ms: performance.now() - start, cpuMs: (user + system) / 1000 };
}

/** Rounds in turns. Ratios: their time over ours. */
async function compare(name, work, ours) {
  const worker = python();
  const rows = [];
  let answers;
  try {
    await worker.open(name, 'python', work);
    for (let round = -1; round < rounds; round++) { // the first one warms up
      const own = await timed(ours);
      const theirs = await worker.run(1);
      answers = { ours: own.result, theirs: theirs.mauve };
      if (round >= 0) rows.push({ ms: own.ms, cpuMs: own.cpuMs, theirMs: theirs.timesMs[0], theirCpuMs: theirs.cpuMs[0] });
      console.error(`${name} round ${round + 1} of ${rounds}: ${(own.ms / 1000).toFixed(2)} s, theirs ${(theirs.timesMs[0] / 1000).toFixed(2)} s`);
    }
  } finally {
    worker.close();
  }
  const of = (f, digits) => spread(rows.map(f), digits);
  return {
    answers,
    figures: { ms: of((r) => r.ms, 1), theirMs: of((r) => r.theirMs, 1), speedUp: of((r) => r.theirMs / r.ms, 3), cpuRatio: of((r) => r.theirCpuMs / r.cpuMs, 3) },
  };
}

const folder = mkdtempSync(join(tmpdir(), 'ldlm-scoring-'));
try {
  await writeRandomWeights(join(folder, 'model.safetensors'), gpt2Shapes(shape));
  const scorer = await native.Scorer.load({ folder, config: shape, device: 'cpu' });
  const ids = randomIds(texts);
  const score = await compare('score', { folder, shape, ids: [...ids], rows: texts, length, together, threads }, () => scoreAll(scorer, ids));
  const samples = await scoreAll(scorer, ids);
  const references = await scoreAll(scorer, randomIds(2 * texts).slice(texts * length));
  const features = join(folder, 'features.bin');
  writeFileSync(features, Buffer.concat([...samples, ...references].map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength))));
  const clusters = Math.round(texts / 10);
  const mauve = await compare('mauve', { features, rows: texts, width: shape.hiddenWidth, clusters, seeds, threads }, () =>
    scoreMauve(samples, references, { maxTokens: length, cluster: (options) => native.clusterFeatures(options) }),
  );
  const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const value = { ours: mauve.answers.ours.mauve, deviation: mauve.answers.ours.deviation, theirs: mean(mauve.answers.theirs) };
  const machine = { cpu: cpus()[0].model, cores: cpus().length, load1: loadavg()[0] };
  const line = { date: new Date().toISOString(), op: 'scoring', texts, length, threads, rounds, score: score.figures, mauve: { ...mauve.figures, value }, machine };
  appendFileSync(join(here, 'results', 'scoring.jsonl'), JSON.stringify(line) + '\n');
  console.log(JSON.stringify(line, null, 2));
  await scorer.dispose();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
