// Time to the first hidden state of a 500 MB checkpoint, against reading its file once. `node --expose-gc bench/load.mjs [--rounds N] [--keep DIR]`
// The checkpoint has the sizes of GPT-2 and random weights. Both sides alternate, with the file in the page cache (warm) and out of it
// (cold). Loading libtorch is not part of the time; the forward pass of 16 tokens is. Appends a line to bench/results/load.jsonl.
import { execFileSync } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PretrainedEncoder } from '../dist/index.js';
import { gpt2Shapes, writeRandomWeights } from '../dist/bench/random_weights.js';
import { spread } from '../dist/bench/statistics.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' }, keep: { type: 'string' } } });
const rounds = Number(values.rounds);
const [layers, hiddenWidth, vocabulary, positions] = [12, 768, 50257, 1024];
const ids = Int32Array.from({ length: 16 }, (_, i) => 1000 + i);

async function writeCheckpoint(folder) {
  mkdirSync(folder, { recursive: true });
  const config = { model_type: 'gpt2', n_layer: layers, n_embd: hiddenWidth, n_head: 12, vocab_size: vocabulary, n_positions: positions };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const path = join(folder, 'model.safetensors');
  await writeRandomWeights(path, gpt2Shapes({ layers, hiddenWidth, feedForwardWidth: 4 * hiddenWidth, vocabulary, positions }));
  const file = openSync(path, 'r');
  fsyncSync(file); // pages that are not on disk yet cannot be dropped from the cache
  closeSync(file);
}

/** Milliseconds to read the file into memory. */
function readIntoMemory(path) {
  const start = performance.now();
  readFileSync(path);
  return performance.now() - start;
}

/** Milliseconds to read the file into one small buffer over and over, where the bytes are never kept. */
function readThrough(path) {
  const buffer = Buffer.allocUnsafeSlow(8 << 20);
  const start = performance.now();
  const file = openSync(path, 'r');
  while (readSync(file, buffer) > 0);
  closeSync(file);
  return performance.now() - start;
}

/** Milliseconds from nothing to the first hidden state, and those of the same forward pass once more. */
async function hiddenStates(folder) {
  const start = performance.now();
  const encoder = await PretrainedEncoder.load(folder, { device: 'cpu' });
  const hidden = await encoder.hidden(ids, -1);
  const first = performance.now() - start;
  if (!hidden.every(Number.isFinite)) throw new Error('the hidden states must be finite');
  await encoder.hidden(ids, -1);
  const second = performance.now() - start - first;
  await encoder.dispose();
  return { first, second };
}

const dropFromCache = (path) => execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']);

async function measure(folder, path, isCold) {
  const times = { readIntoMemory: [], readThrough: [], firstHiddenState: [], secondHiddenState: [] };
  const prepare = () => {
    globalThis.gc?.(); // the buffer of the reading side
    if (isCold) dropFromCache(path);
  };
  for (let round = 0; round < rounds; round++) {
    prepare();
    times.readIntoMemory.push(readIntoMemory(path));
    prepare();
    times.readThrough.push(readThrough(path));
    prepare();
    const { first, second } = await hiddenStates(folder);
    times.firstHiddenState.push(first);
    times.secondHiddenState.push(second);
  }
  const ratio = (to) => spread(times.firstHiddenState.map((ms, i) => ms / times[to][i]), 2);
  return {
    ms: Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, spread(ms, 1)])),
    ratio: { toReadIntoMemory: ratio('readIntoMemory'), toReadThrough: ratio('readThrough') },
  };
}

const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'ldlm-load-'));
const path = join(folder, 'model.safetensors');
try {
  if (!existsSync(path)) await writeCheckpoint(folder);
  await hiddenStates(folder); // loads libtorch and starts its threads
  const [warm, cold] = [await measure(folder, path, false), await measure(folder, path, true)];
  const machine = { cpu: cpus()[0].model, cores: cpus().length, load1: loadavg()[0] };
  const line = { date: new Date().toISOString(), op: 'load', megabytes: Math.round(statSync(path).size / 1e6), tokens: ids.length, rounds, warm, cold, machine };
  appendFileSync(join(here, 'results', 'load.jsonl'), JSON.stringify(line) + '\n');
  console.log(JSON.stringify(line, null, 2));
} finally {
  if (!values.keep) rmSync(folder, { recursive: true, force: true });
}
