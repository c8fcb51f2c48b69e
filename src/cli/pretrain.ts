// `ldlm pretrain`: a small causal LM and its tokenizer from the user's own text, in the Hugging Face layout.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { checkLm, type LmConfig, lmDefaults, type LmPretrainOptions, type LmResult, pretrainLm, requireFreeForModel } from '../api/lm_pretrainer.js';
import { writeFileAtomic } from '../data/atomic.js';
import { listInputs } from '../data/inputs.js';
import { prepare } from '../data/prepare.js';
import { readDocuments } from '../data/readers.js';
import { openShards } from '../data/shards.js';
import { Tokenizer } from '../data/tokenizer.js';
import { trainByteLevelBpe, trainWordLevel } from '../data/tokenizer_training.js';
import { addDocumentOptions, type DocumentFlags, documentHelp } from './document_flags.js';
import { interruptible } from './interrupt.js';
import { checkUsage, integer, realNumber, threadsOption, wholeNumber } from './option_types.js';
import { createProgress } from './progress.js';

interface PretrainFlags extends LmConfig, DocumentFlags {
  input: string[];
  out: string;
  tokenizer?: string;
  words: boolean;
  vocabulary: number;
  length: number;
  packing: 'wrap' | 'pad';
  force: boolean;
}

const examples = `${documentHelp}

Examples:
  ldlm pretrain --input stories.txt --words --packing pad --length 48 --out lm
  ldlm pretrain --input book.txt --vocabulary 4096 --length 128 --width 256 --steps 3000 --out lm
  ldlm pretrain --input news.jsonl --column body --tokenizer models/gpt2 --length 128 --out lm`;

/** The command `ldlm pretrain`. */
export function pretrainCommand(): Command {
  const d = lmDefaults();
  const command = new Command('pretrain')
    .description('pretrain a small causal language model (and tokenizer) on your own text')
    .requiredOption('--input <file...>', 'txt, jsonl or parquet files, folders or globs')
    .requiredOption('--out <dir>', 'the Hugging Face layout folder to write');
  return addDocumentOptions(command)
    .option('--force', 'write over a model that is already there', false)
    .option('--tokenizer <dir|file>', 'use this tokenizer.json instead of training one')
    .option('--words', 'train a word-level tokenizer instead of byte-level BPE', false)
    .option('--vocabulary <n>', 'size of the tokenizer to train, at most', wholeNumber(2), 8192)
    .option('--length <n>', 'tokens of a row', wholeNumber(2), 128)
    .addOption(new Option('--packing <how>', 'wrap: documents joined and cut; pad: one document a row').choices(['wrap', 'pad']).default('wrap'))
    .option('--layers <n>', 'transformer blocks', wholeNumber(1), d.layers)
    .option('--width <n>', 'hidden width', wholeNumber(1), d.width)
    .option('--heads <n>', 'attention heads', wholeNumber(1), d.heads)
    .option('--steps <n>', 'updates', wholeNumber(1), d.steps)
    .option('--batch <n>', 'rows a step', wholeNumber(2), d.batch)
    .option('--lr <x>', 'highest learning rate', realNumber, d.lr)
    .option('--identity-weight <x>', 'weight of naming the current token from the layer that an LDLM reads', realNumber, d.identityWeight)
    .option('--identity-layer <k>', 'that layer, as hidden_states counts', integer, d.identityLayer)
    .option('--seed <n>', 'seed', wholeNumber(0), d.seed)
    .addOption(threadsOption())
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: PretrainFlags, command: Command): Promise<void> {
  checkUsage(command, () => checkLm(flags));
  await requireFreeForModel(flags.out, flags.force); // before the tokenizer is trained
  const work = await mkdtemp(join(tmpdir(), 'ldlm-pretrain-'));
  try {
    await interruptible('Stopping; nothing is written.', async (signal) => {
      const tokenizer = await provideTokenizer(flags, work);
      const { length, packing, column, detokenize, invalidUtf8 } = flags;
      await prepare({ inputs: flags.input, tokenizer, length, packing, column, detokenize: detokenize ?? null, invalidUtf8, out: join(work, 'data'), signal });
      await using data = await openShards(join(work, 'data'));
      const result = await pretrainWithProgress(flags, { data, tokenizer, out: flags.out, replace: flags.force, signal });
      process.stderr.write(`${describeLm(result)}\n`);
      process.stdout.write(`${flags.out}\n`);
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function provideTokenizer(flags: PretrainFlags, work: string): Promise<Tokenizer> {
  if (flags.tokenizer) return Tokenizer.load(flags.tokenizer);
  const texts = allTexts(flags);
  const json = flags.words
    ? await trainWordLevel(texts, { maxVocabulary: flags.vocabulary })
    : await trainByteLevelBpe(texts, { vocabulary: flags.vocabulary });
  const file = join(work, 'tokenizer.json');
  await writeFileAtomic(file, JSON.stringify(json));
  return Tokenizer.load(file);
}

async function* allTexts({ input, ...reading }: PretrainFlags): AsyncGenerator<string> {
  for (const { path } of await listInputs(input)) for await (const { text } of readDocuments(path, reading)) yield text;
}

/** The loop of `ldlm pretrain` and of the demo. */
export async function pretrainWithProgress(
  config: LmConfig,
  options: LmPretrainOptions,
): Promise<LmResult> {
  const { layers, width, heads, steps, batch, lr, identityWeight, identityLayer, seed } = config;
  const progress = createProgress({ total: steps, unit: 'steps', label: 'pretraining' });
  try {
    const training = pretrainLm({ layers, width, heads, steps, batch, lr, identityWeight, identityLayer, seed }, options);
    while (true) {
      const next = await training.next();
      if (next.done) return next.value;
      const { step, loss, identityAccuracy } = next.value;
      progress.update(step, { perplexity: Math.exp(loss).toFixed(2), identity: `${(100 * identityAccuracy).toFixed(1)} %` });
    }
  } finally {
    progress.stop();
  }
}

export function describeLm({ validationPerplexity, identityAccuracy }: LmResult): string {
  return `validation perplexity ${validationPerplexity.toFixed(3)}, current token named from the hidden state ${(100 * identityAccuracy).toFixed(1)} %`;
}
