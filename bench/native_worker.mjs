// The native side of the benchmarks: the same JSON lines as pytorch_worker.py, over the addon. One more request, `prepare`, writes
// the random frozen LM and the checkpoint that both sides load; it goes to a process of its own, because memory is measured.

import { mkdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { loadNative } from '../dist/api/native.js';
import { median } from './statistics.mjs';

function peakRss() {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
}

const native = loadNative();
const baseRssBytes = peakRss();

async function createTrainer(work) {
  const encoder = await native.PretrainedEncoder.load({ folder: work.encoder, config: work.encoderShape, device: work.device });
  const trainer = await native.JointTrainer.create(work.config, encoder, work.device);
  const ids = Int32Array.from(work.ids);
  const lengths = Int32Array.from(work.lengths);
  await trainer.observeStatistics(ids, lengths);
  await trainer.finishStatistics();
  // A step is queued on a GPU, not waited for; a number that comes back from there waits.
  const wait = work.device === 'cuda' ? () => encoder.hidden(Int32Array.of(0), Int32Array.of(1), 0) : () => {};
  return { trainer, step: () => trainer.step(ids, lengths), wait };
}

async function prepare(work) {
  const { config, encoderShape } = work;
  const { lr, beta1, beta2, eps, weightDecay, clip, seed } = config.train;
  const { layers, hiddenWidth: width, heads, vocabulary, positions } = encoderShape;
  const lm = await native.LmTrainer.create({
    model: { layers, width, heads, vocabulary, positions },
    train: { lr, beta1, beta2, eps, weightDecay, clip, seed, warmupSteps: 1, steps: 1, microBatches: 1, identityWeight: 0, identityLayer: config.encoderLayer },
  });
  await lm.save(work.encoder);
  const { trainer, step } = await createTrainer(work);
  await step();
  mkdirSync(work.checkpoint, { recursive: true });
  await trainer.save(work.checkpoint);
  return () => {};
}

async function openTraining(work) {
  const { step, wait } = await createTrainer(work);
  return async () => {
    await step();
    await wait();
  };
}

async function openSampling(work) {
  const { config, device, count, steps } = work;
  const model = await native.Model.load({
    weights: `${work.checkpoint}/ema.safetensors`,
    config: config.model,
    scheduleD: config.scheduleD,
    timesteps: null,
    device,
    samplingOnly: false,
  });
  const request = { firstIndex: 0, count, steps, sampler: 'ddim', eta: 1, temperature: 1, uniformGrid: false, uMin: 0.05, seed: 0, previewEvery: 0 };
  return () => model.sample(request, 1, null);
}

const openers = { prepare, train_step: openTraining, sample: openSampling };

let run;
for await (const line of createInterface({ input: process.stdin })) {
  const { op, work, repeats } = JSON.parse(line);
  if (!run) {
    native.setThreads(work.threads);
    run = await openers[op](work);
  }
  const timesMs = [];
  for (let i = 0; i < repeats; ++i) {
    const start = performance.now();
    await run();
    timesMs.push(performance.now() - start);
  }
  const answer = { timesMs, medianMs: median(timesMs), peakRssBytes: peakRss(), baseRssBytes, version: `libtorch ${native.torchVersion}` };
  process.stdout.write(JSON.stringify(answer) + '\n');
}
