// From the start of the process to the first sample of a base-size model whose file is in the page cache, phase by phase:
// `node bench/startup.mjs [--preset base] [--rounds 5] [--keep DIR]`. Appends a line to bench/results/startup.jsonl.
// The model has random weights and a tokenizer of as many words as its vocabulary. "Ready" is when LDLM.load has returned.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadNative } from '../dist/api/native.js';
import { appendResult, describeMachine } from '../dist/bench/record.js';
import { writeRandomWeights } from '../dist/bench/random_weights.js';
import { spread } from '../dist/bench/statistics.js';
import { resolveEncoder } from '../dist/config/encoders.js';
import { presets } from '../dist/config/presets.js';
import { trainWordLevel } from '../dist/index.js';

const { values } = parseArgs({ options: { preset: { type: 'string', default: 'base' }, rounds: { type: 'string', default: '5' }, keep: { type: 'string' } } });
const here = dirname(fileURLToPath(import.meta.url));

/** An export folder: averaged weights of DiT and decoders, nothing of training. */
async function writeModel(folder) {
  const config = presets[values.preset]();
  const { hiddenWidth, vocabulary } = await resolveEncoder(config.encoder.source);
  const shapes = loadNative().parameterShapes({ ...config.model, hiddenWidth, vocabulary });
  const kept = Object.entries(shapes).filter(([name]) => !name.startsWith('latent_encoder.'));
  await writeRandomWeights(join(folder, 'model.safetensors'), Object.fromEntries(kept));
  const words = Array.from({ length: vocabulary }, (_, i) => `w${i}`);
  const tokenizer = await trainWordLevel([words.join(' ')], { maxVocabulary: vocabulary });
  const { bins } = config.recipe.adaptiveTimesteps;
  const [zeros, cumulative] = [Array(bins).fill(0), Array.from({ length: bins + 1 }, (_, i) => i / bins)];
  const state = {
    ...{ step: 1, seed: 0, dataPosition: 1, encoder: { hiddenWidth, vocabulary }, lossByTimestep: Array(bins).fill(null) },
    timesteps: { lossSum: zeros, weightSum: zeros, cumulative },
  };
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'state.json'), JSON.stringify(state));
}

/** Milliseconds since the start of its process at which the child had done each thing; `spawn` is what the process took to begin. */
function runOnce(folder) {
  const started = Date.now();
  const answer = JSON.parse(execFileSync(process.execPath, [join(here, 'startup_child.mjs'), folder], { encoding: 'utf8' }));
  return { spawn: answer.origin - started, ...answer.marks };
}

const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'ldlm-startup-'));
try {
  if (!existsSync(join(folder, 'state.json'))) await writeModel(folder);
  const weights = join(folder, 'model.safetensors');
  readFileSync(weights); // into the page cache
  const machine = describeMachine();
  runOnce(folder);
  const runs = Array.from({ length: Number(values.rounds) }, () => runOnce(folder));
  const at = Object.fromEntries(Object.keys(runs[0]).map((name) => [name, spread(runs.map((run) => run[name]), 0)]));
  const result = { preset: values.preset, megabytes: Math.round(statSync(weights).size / 1e6), rounds: runs.length, at, machine };
  await appendResult(join(here, 'results'), 'startup', result);
  console.log(JSON.stringify(result, null, 2));
} finally {
  if (!values.keep) rmSync(folder, { recursive: true, force: true });
}
