// One process of 52.process_stress.test.ts: `node stress_child.mjs SCENARIO JSON`. Starts native work and then leaves it in a rude way.
// Plain JavaScript on the compiled package, because a worker thread and a crash must be those of a user's program.

import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** { index, root, run, config, data, iterations }: the number of the run, folders, and how often to repeat what ends no process. */
const settings = isMainThread ? JSON.parse(process.argv[3]) : workerData;
const packageFile = (name) => import(pathToFileURL(`${settings.root}/dist/${name}`).href);
const { JointTrainer, LDLM, openShards } = await packageFile('index.js');

/** So many evaluations that only leaving ends them. */
const ENDLESS = 1_000_000;
const LEFT_WITH = 7;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const randomDelay = () => sleep(40 * Math.random());

/** Starts work that does not end: sampling with previews, or training. Returns once its first result is here. */
async function startJob(kind, name) {
  if (kind === 'sample') {
    const model = await LDLM.load(settings.run);
    const stream = model.sampleStream({ count: 3, steps: ENDLESS, previewEvery: 1 });
    await stream.next();
    return drain(stream);
  }
  const config = { ...settings.config, train: { ...settings.config.train, steps: ENDLESS, logEvery: 1, saveEvery: 3 } };
  const trainer = await JointTrainer.create(config, { out: `${settings.run}-stress-${process.pid}-${name}` });
  const steps = trainer.run(await openShards(config.data.path));
  await steps.next();
  return drain(steps);
}

/** Goes on reading in the background. */
function drain(stream) {
  const reading = (async () => {
    for await (const _ of stream);
  })();
  reading.catch(() => {}); // what is left behind may fail; how the process ends is what counts
}

const kindOf = (number) => (number % 2 === 0 ? 'sample' : 'train');

async function terminateWorker(number) {
  const worker = new Worker(fileURLToPath(import.meta.url), { argv: process.argv.slice(2), workerData: { ...settings, index: number } });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await randomDelay();
  await worker.terminate();
}

function expectEqual(got, wanted) {
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

const scenarios = {
  async exit() {
    await startJob(kindOf(settings.index), 'main');
    await randomDelay();
    process.exit(LEFT_WITH);
  },
  async throw() {
    await startJob(kindOf(settings.index), 'main');
    setTimeout(() => {
      throw new Error('thrown on purpose');
    }, 40 * Math.random());
  },
  async rejection() {
    await startJob(kindOf(settings.index), 'main');
    setTimeout(() => void Promise.reject(new Error('rejected on purpose')), 40 * Math.random());
  },
  async terminate() {
    for (let i = 0; i < settings.iterations; i++) await terminateWorker(settings.index + i);
  },
  async terminateThenExit() {
    await startJob(kindOf(settings.index), 'main');
    await terminateWorker(settings.index + 1);
    process.exit(LEFT_WITH);
  },
  async abort() {
    const model = await LDLM.load(settings.run);
    for (let i = 0; i < settings.iterations; i++) {
      const stop = new AbortController();
      const running = model.sample({ count: 3, steps: ENDLESS, signal: stop.signal });
      await randomDelay();
      stop.abort();
      expectEqual(await running.catch((error) => error.code), 'ERR_LDLM_ABORTED');
    }
    await model.dispose();
  },
  async previewThrows() {
    const model = await LDLM.load(settings.run);
    const request = { firstIndex: 0, count: 3, steps: ENDLESS, sampler: 'ddim', eta: 0, temperature: 1, uniformGrid: false, uMin: 0.05, seed: 0, previewEvery: 1 };
    for (let i = 0; i < settings.iterations; i++) {
      // At the seam: the streams of the public API give a callback of their own, which does not throw.
      const running = model.native.sample(request, -1 - i, (evaluation) => {
        if (evaluation === 1 + (i % 3)) throw new Error('thrown on purpose');
      });
      expectEqual(await running.catch((error) => error.code), 'ABORTED');
      expectEqual((await model.sample({ count: 1, steps: 1 })).texts.length, 1);
    }
    await model.dispose();
  },
};

if (isMainThread) {
  await scenarios[process.argv[2]]();
} else {
  await startJob(kindOf(settings.index), `worker-${settings.index}`);
  parentPort.postMessage('working');
}
