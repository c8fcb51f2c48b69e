// The flags of sampling, shared by the commands that sample.

import { type Command, Option } from 'commander';
import type { GridName, SampleOptions, SamplerName } from '../api/sample_options.js';
import { defaultSampler, grids, resolveSampleOptions, samplers } from '../api/sample_options.js';
import { checkUsage, deviceOption, realNumber, threadsOption, wholeNumber } from './option_types.js';

export interface SampleFlags {
  model: string;
  count: number;
  steps: number;
  sampler: SamplerName;
  eta?: number;
  temperature: number;
  grid: GridName;
  seed: number;
  batch: number;
  device: 'auto' | 'cpu' | 'cuda';
  dtype: 'auto' | 'float32' | 'bfloat16';
  raw: boolean;
}

/** Adds the flags of `SampleFlags`; `count` texts unless told. */
export function addSampleFlags(command: Command, count: number): Command {
  return command
    .requiredOption('--model <run>', 'a run, checkpoint or export folder')
    .option('--count <n>', 'texts', wholeNumber(1), count)
    .option('--steps <n>', 'evaluations of the denoiser', wholeNumber(1), 32)
    .addOption(new Option('--sampler <name>', 'integrator; a model with stagger takes ddpm or ddim').choices([...samplers]).default(defaultSampler))
    .option('--eta <x>', 'share of fresh noise, 0..1 (default: 0 for ddim, 1 for ddpm and dpmpp; heun and sde have none)', realNumber)
    .option('--temperature <x>', 'deviation of the noise, initial and fresh, > 0', realNumber, 1)
    .addOption(new Option('--grid <name>', 'schedule times: even under the learned warp, or even in u; auto: in u for a model with stagger, else learned').choices([...grids]).default('auto'))
    .option('--seed <n>', 'seed of all noise', wholeNumber(0), 0)
    .option('--batch <n>', 'texts at once; changes speed, not texts', wholeNumber(1), 32)
    .addOption(deviceOption())
    .addOption(new Option('--dtype <name>', 'to compute in; auto: bfloat16 on a GPU').choices(['auto', 'float32', 'bfloat16']).default('auto'))
    .addOption(threadsOption())
    .option('--raw', 'the weights of the last step instead of their average', false);
}

/** The options of a call. Flags that do not go together are wrong usage of `command`. */
export function sampleOptionsOf({ count, steps, sampler, eta, temperature, grid, seed, batch }: SampleFlags, command: Command): SampleOptions {
  const options: SampleOptions = { count, steps, sampler, temperature, grid, seed, batch, ...(eta === undefined ? {} : { eta }) };
  checkUsage(command, () => resolveSampleOptions(options));
  return options;
}
