// Trains a small LDLM for a few steps on random weights and tokens, and prints the losses and the gradient norm of each:
// `node reference_child.mjs FOLDER`. What differs between two runs is their environment.
import { loadNative } from '../../dist/api/native.js';
import { createWork, writeFiles } from '../../dist/bench/workload.js';

const native = loadNative();
const options = { preset: 'tiny', device: 'cpu', dtype: 'float32', threads: 1, batch: 4, length: 19, count: 1, steps: 2 };
const work = await createWork(options, process.argv[2]);
await writeFiles(work, { encoder: true, model: false });
const encoder = await native.PretrainedEncoder.load({ folder: work.encoder, config: work.encoderShape, device: 'cpu' });
const trainer = await native.JointTrainer.create(work.config, encoder, 'cpu');
const [ids, lengths] = [Int32Array.from(work.ids), Int32Array.from(work.lengths)];
await trainer.observeStatistics(ids, lengths);
await trainer.finishStatistics();
const steps = [];
for (let i = 0; i < 5; i++) {
  await trainer.step(ids, lengths);
  const { diffusion, hidden, token, gradNorm } = await trainer.metrics();
  steps.push({ diffusion, hidden, token, gradNorm });
}
console.log(JSON.stringify(steps));
