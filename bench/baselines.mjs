// Times one sample of the LDLM of base size, end to end from noise to token ids, against the samplers of MDLM, Duo, SEDD and an
// autoregressive GPT-2, all of them this package's own, in one process with the same threads, in turn. Weights are random: none of these
// samplers decides by them how long it takes. Long trajectories are not run whole: every k-th evaluation of the network is made, spread
// evenly over the trajectory, and the time is multiplied by evaluations needed / made. A round of a few evaluations goes before. Appends a line to bench/results/baselines.jsonl.
//
//   node bench/baselines.mjs --length 1024 --ldlm-steps 32 --against mdlm@1000/32,mdlm@256/16,duo@64/8 --rounds 3
//   node bench/baselines.mjs --length 128 --ldlm-steps 16 --against ar@1,ar@8,ar@32
//
// An opponent is KIND@STEPS/k: mdlm, mdlm-stepwise (as it is usually written: head and draw at every position in every step), duo, sedd;
// or ar@ROWS/k: rows generated at once, of which one is compared.

import { mkdtempSync, appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { loadNative } from '../dist/api/native.js';
import { presets } from '../dist/config/presets.js';
import { spread } from '../dist/bench/statistics.js';

const here = dirname(fileURLToPath(import.meta.url));
const GPT2_VOCABULARY = 50257;
const { values: options } = parseArgs({
  options: {
    length: { type: 'string', default: '1024' },
    'ldlm-steps': { type: 'string', default: '32' },
    against: { type: 'string', default: 'mdlm@1000/32,mdlm-stepwise@1000/250,mdlm@256/16,duo@64/16,sedd@128/16,ar@1/32' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});
const [length, ldlmSteps, rounds, threads] = ['length', 'ldlm-steps', 'rounds', 'threads'].map((name) => {
  const value = Number(options[name]);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number >= 1, got ${options[name]}`);
  return value;
});

const native = loadNative();
native.setThreads(threads);

/** The sampling half of an LDLM of base size with random weights. Only the trainer can make weights: it writes a checkpoint, unused otherwise. */
async function openLdlm(folder) {
  const { train, diffusion, recipe, model } = presets.base();
  const [beta1, beta2] = train.betas;
  const { lr, eps, weightDecay, clip, ema, seed } = train;
  const optimizer = { lr, beta1, beta2, eps, weightDecay, clip };
  const hiddenWidth = model.latentWidth;
  const lm = await native.LmTrainer.create({
    model: { layers: 1, width: hiddenWidth, heads: 12, vocabulary: GPT2_VOCABULARY, positions: length },
    train: { ...optimizer, warmupSteps: 1, steps: 1, seed, microBatches: 1, identityWeight: 0, identityLayer: 0 },
  });
  await lm.save(join(folder, 'lm'));
  await lm.dispose();
  const encoder = await native.PretrainedEncoder.load({ folder: join(folder, 'lm'), config: gpt2Shape(hiddenWidth), device: 'cpu' });
  const config = { ...model, maxLength: length, latents: length, hiddenWidth, vocabulary: GPT2_VOCABULARY };
  const trainer = await native.JointTrainer.create(
    {
      model: config, encoderLayer: 0, scheduleD: diffusion.scheduleD, selfConditioning: diffusion.selfConditioning, recipe,
      train: { steps: 1, batch: 1, accumulate: 1, warmupSteps: 1, cooldownSteps: 0, muon: null, ema, seed, bfloat16: false, ...optimizer },
    },
    encoder, 'cpu',
  );
  await trainer.observeStatistics(new Int32Array(length), Int32Array.of(length));
  await trainer.finishStatistics();
  const checkpoint = join(folder, 'checkpoint');
  mkdirSync(checkpoint);
  await trainer.save(checkpoint);
  await trainer.dispose();
  await encoder.dispose();
  const loaded = await native.Model.load({
    weights: join(checkpoint, 'ema.safetensors'), config, scheduleD: diffusion.scheduleD, timesteps: null, device: 'cpu', samplingOnly: false,
  });
  rmSync(folder, { recursive: true, force: true });
  const request = { firstIndex: 0, count: 1, steps: ldlmSteps, sampler: 'ddim', eta: 1, temperature: 1, uniformGrid: false, uMin: 0.05, seed: 0, previewEvery: 0 };
  return async (warmUp) => {
    await loaded.sample(warmUp ? { ...request, steps: 2 } : request, 1, null);
    return { share: 1, rows: 1 };
  };
}

const gpt2Shape = (hiddenWidth) => ({
  family: 'gpt2', layers: 1, hiddenWidth, heads: 12, vocabulary: GPT2_VOCABULARY, positions: length, feedForwardWidth: 4 * hiddenWidth,
  tokenTypes: 0, normEpsilon: 1e-5, activation: 'gelu_new', paddingId: 0, keyValueHeads: 12, headWidth: hiddenWidth / 12, relativeBuckets: 0,
  relativeDistance: 0, rotaryBase: 0, rotaryScaling: null, gatedFeedForward: false, queryKeyValueBias: false, queryKeyNorm: false,
});

function parseOpponent(text) {
  const found = /^(mdlm|mdlm-stepwise|duo|sedd|ar)@(\d+)(?:\/(\d+))?$/.exec(text);
  if (!found) throw new Error(`an opponent of --against must be like mdlm@1000/32 or ar@8, got '${text}'`);
  const [, name, number, stride = '1'] = found;
  return { text, kind: name.replace('-stepwise', ''), stepwise: name.endsWith('stepwise'), number: Number(number), stride: Number(stride) };
}

const models = new Map(); // by kind: one set of weights serves all its opponents

async function openOpponent({ kind, stepwise, number, stride }) {
  if (!models.has(kind)) {
    const config = { kind, vocabulary: GPT2_VOCABULARY, length, layers: 12, width: 768, heads: 12, condition: 128, endId: GPT2_VOCABULARY - 1 };
    models.set(kind, await native.Baseline.load({ weights: null, config }));
  }
  const rows = kind === 'ar' ? number : 1;
  const request = { firstIndex: 0, count: rows, steps: number, seed: 0, stopAtEnd: false, stepwise, stride };
  return async (warmUp) => {
    const { evaluations, evaluationsMade } = await models.get(kind).sample(warmUp ? { ...request, stride: 4096 } : request, 1);
    return { share: evaluationsMade / evaluations, rows, evaluations, evaluationsMade };
  };
}

/** Seconds a sample, by the clock and of the CPU, of the whole trajectory. */
async function time(run, warmUp) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { share, rows, ...counts } = await run(warmUp);
  const wall = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { wall: wall / share / rows, cpu: (user + system) / 1e6 / share / rows, ...counts };
}

const folder = mkdtempSync(join(tmpdir(), 'ldlm-bench-'));
try {
  const opponents = options.against.split(',').map(parseOpponent);
  const systems = [{ name: `ldlm@${ldlmSteps}`, run: await openLdlm(folder), times: [] }];
  for (const opponent of opponents) systems.push({ name: opponent.text, run: await openOpponent(opponent), times: [] });
  const load1 = Number(loadavg()[0].toFixed(2));
  for (let round = 0; round <= rounds; ++round) {
    for (const system of systems) {
      const timed = await time(system.run, round === 0);
      if (round === 0) continue;
      process.stderr.write(`round ${round}, ${system.name}: ${timed.wall.toFixed(2)} s, ${timed.cpu.toFixed(2)} s CPU a sample\n`);
      system.times.push(timed);
    }
  }
  const results = systems.map(({ name, times }) => {
    const ratio = (of) => spread(times.map((t, i) => t[of] / systems[0].times[i][of]), 3);
    const { evaluations, evaluationsMade } = times[0];
    return { system: name, evaluations, evaluationsMade, wall: spread(times.map((t) => t.wall), 2), cpu: spread(times.map((t) => t.cpu), 2), ratioWall: ratio('wall'), ratioCpu: ratio('cpu') };
  });
  const machine = { cpu: cpus()[0].model.trim(), cores: availableParallelism(), load1, torch: native.torchVersion };
  mkdirSync(join(here, 'results'), { recursive: true });
  appendFileSync(join(here, 'results', 'baselines.jsonl'), JSON.stringify({ date: new Date().toISOString(), op: 'baselines', length, threads, rounds, results, machine }) + '\n');
  console.table(Object.fromEntries(results.map(({ system, evaluations, evaluationsMade, wall, cpu, ratioWall, ratioCpu }) => [
    system, { evaluations, made: evaluationsMade, 's a sample': wall.median, 'CPU s': cpu.median, 'over LDLM': ratioWall.median, 'by CPU': ratioCpu.median, from: ratioCpu.min, to: ratioCpu.max },
  ])));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
