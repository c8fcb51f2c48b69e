// `ldlm eval`: samples a model and judges the samples by named protocols. DIR/eval.json holds the results with their conditions,
// DIR/samples.jsonl what was judged.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { LDLM } from '../api/ldlm.js';
import { isBaseline } from '../baselines/checkpoint.js';
import { BaselineModel } from '../baselines/model.js';
import { writeFileAtomic } from '../data/atomic.js';
import { readDocuments } from '../data/readers.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { conditionNames, describeSampling } from '../eval/conditions.js';
import { evaluate, type EvaluationResult } from '../eval/evaluate.js';
import { checkRequest, type ProtocolName, protocolNames } from '../eval/protocols.js';
import { interruptible } from './interrupt.js';
import { addJudgeFlags, type JudgeFlags, loadScorer, referenceTexts } from './judge_flags.js';
import { checkUsage, gather } from './option_types.js';
import { addSampleFlags, type SampleFlags, sampleOptionsOf } from './sample_flags.js';
import { progressOfStages } from './stage_progress.js';

interface Flags extends SampleFlags, JudgeFlags {
  protocol: ProtocolName[];
  training?: string[];
  out: string;
  json: boolean;
}

const examples = `
Protocols are defined in docs/evaluation.md. genppl, mauve and entropy/gpt2-tokens-nats need --scorer; mauve and reconstruction need
--reference. memorisation compares with the shards that the model was trained on, or with --training.

Examples:
  ldlm eval --model runs/tiny --protocol grammar/v1 diversity/v1 memorisation/v1 --count 256 --out eval/tiny
  ldlm eval --model runs/tiny --protocol genppl/mdlm-v1 mauve/v1 --count 500 --scorer lm --reference held-out.txt --out eval/tiny
  ldlm eval --model runs/owt --protocol genppl/mdlm-v1 --count 1000 --scorer openai-community/gpt2-large --out eval/owt`;

/** The command `ldlm eval`. */
export function evalCommand(): Command {
  return addJudgeFlags(addSampleFlags(new Command('eval'), 256))
    .description('judge samples of a model by named protocols')
    .addOption(new Option('--protocol <names...>', 'what to measure').choices(protocolNames).makeOptionMandatory())
    .option('--training <file>', 'training texts (repeatable) instead of the shards of the model', gather)
    .requiredOption('--out <dir>', 'folder for eval.json and samples.jsonl')
    .option('--json', 'print eval.json instead of a table', false)
    .addHelpText('after', examples)
    .action((flags: Flags, command: Command) => interruptible('Stopping after the current step.', (signal) => run(flags, command, signal)));
}

async function run(flags: Flags, command: Command, signal: AbortSignal): Promise<void> {
  const options = sampleOptionsOf(flags, command);
  const protocols = [...new Set(flags.protocol)];
  const reference = await referenceTexts(flags, flags.count);
  checkUsage(command, () => checkRequest({ protocols, count: flags.count, scorer: flags.scorer !== undefined, references: reference?.length ?? null }));
  for (const file of flags.training ?? []) for await (const { text } of readDocuments(file, { column: flags.column })) if (text !== '') break; // refused now, not after sampling
  await mkdir(flags.out, { recursive: true });
  const weights = flags.raw ? 'raw' : 'ema';
  await using model = (await isBaseline(flags.model)) ? await BaselineModel.load(flags.model, { weights }) : await LDLM.load(flags.model, { device: flags.device, dtype: flags.dtype, weights });
  await using scorer = await loadScorer(flags, flags.device, signal);
  const stages = progressOfStages();
  const { results } = await evaluate(model, {
    ...options,
    protocols,
    ...(scorer ? { scorer } : {}),
    ...(reference ? { reference } : {}),
    ...(flags.training ? { training: tokenRows(flags.training, flags.column, model.tokenizer) } : {}),
    signal,
    stateRefusals: true,
    // Before they are judged, which may take long, be stopped or fail.
    onSamples: async (samples) => {
      await rm(join(flags.out, 'eval.json'), { force: true }); // of other samples
      await writeFileAtomic(join(flags.out, 'samples.jsonl'), samples.map((sample) => JSON.stringify(sample) + '\n'));
    },
    onProgress: stages.update,
  }).finally(stages.stop);
  const json = JSON.stringify({ results }, null, 2) + '\n';
  await writeFileAtomic(join(flags.out, 'eval.json'), json);
  process.stdout.write(flags.json ? json : table(results));
  process.stderr.write(`written: ${join(flags.out, 'eval.json')}, ${join(flags.out, 'samples.jsonl')}\n`);
  const refused = results.filter((result) => result['refused'] !== undefined);
  for (const result of refused) process.stderr.write(`error: ${result.protocol}: ${String(result['refused'])}\n`);
  if (refused.length > 0) process.exitCode = 1;
}

async function* tokenRows(files: readonly string[], column: string, tokenizer: Tokenizer): AsyncGenerator<number[]> {
  for (const file of files) for await (const { text } of readDocuments(file, { column })) if (text !== '') yield tokenizer.encode(text);
}

/** Fields of a result that the head of the table says once, or that have a line of their own. */
const SAID_ELSEWHERE: readonly string[] = [...conditionNames, 'protocol', 'notes', 'samples'];

function table(results: readonly EvaluationResult[]): string {
  const first = results[0]!;
  const lines = [`${first.model.path}, step ${first.model.step}: ${describeSampling(first)}, ${first.machine.device}`];
  for (const result of results) {
    lines.push('', result.protocol);
    for (const [name, value] of Object.entries(result)) {
      if (!SAID_ELSEWHERE.includes(name)) lines.push(`  ${name.padEnd(18)} ${show(value)}`);
    }
    lines.push(...result.notes.map((note) => `  note: ${note}`));
  }
  return lines.join('\n') + '\n';
}

function show(value: unknown): string {
  if (Array.isArray(value)) return value.map(show).join(' ');
  return typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(5) : String(value);
}
