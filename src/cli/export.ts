// `ldlm export`: what sampling needs, and nothing else: the averaged weights of DiT, LatentDecoder and TokenDecoder.

import { copyFile, mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Command } from 'commander';
import { callNative } from '../api/call_native.js';
import { LdlmError } from '../api/errors.js';
import { loadNative } from '../api/native.js';
import { openCheckpoint, tokenizerOf } from '../api/run_folder.js';
import { syncAndRename } from '../data/atomic.js';
import { Tokenizer } from '../data/tokenizer.js';

const SAMPLING_MODULES = ['dit.', 'latent_decoder.', 'token_decoder.'];

const examples = `
Examples:
  ldlm export --model runs/tiny --out models/tiny
  ldlm sample --model models/tiny --count 4`;

/** The command `ldlm export`. */
export function exportCommand(): Command {
  return new Command('export')
    .description('write a folder for sampling only: averaged weights, without the latent encoder and the optimizer')
    .requiredOption('--model <run>', 'a run or checkpoint folder')
    .requiredOption('--out <dir>', 'the folder to make')
    .addHelpText('after', examples)
    .action(run);
}

async function run({ model, out }: { model: string; out: string }): Promise<void> {
  const { folder, samplingOnly } = await openCheckpoint(model);
  if (samplingOnly) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `--model must be a run or checkpoint folder, got ${model}, which is an export already`);
  await mkdir(dirname(out), { recursive: true });
  const temporary = join(dirname(out), `.${basename(out)}.${process.pid}.tmp`);
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary);
  try {
    const tensors = { input: join(folder, 'ema.safetensors'), output: join(temporary, 'model.safetensors'), prefixes: SAMPLING_MODULES };
    await callNative(() => loadNative().exportTensors(tensors));
    for (const name of ['config.json', 'state.json']) await copyFile(join(folder, name), join(temporary, name));
    await (await Tokenizer.load(await tokenizerOf(folder))).save(temporary);
    await syncAndRename(temporary, out);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  process.stdout.write(`${out}\n`);
}
