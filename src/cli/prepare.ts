// `ldlm prepare`: text files to token shards. Progress goes to stderr, the manifest (without the lists of files) to stdout.

import { Command, InvalidArgumentError, Option } from 'commander';
import { prepare } from '../data/prepare.js';
import { Tokenizer } from '../data/tokenizer.js';
import { resolveModel } from '../hub/model_source.js';
import { addDocumentOptions, type DocumentFlags, documentHelp } from './document_flags.js';
import { showingDownload } from './download_progress.js';
import { interruptible } from './interrupt.js';
import { wholeNumber } from './option_types.js';
import { createProgress, type Progress } from './progress.js';

interface PrepareFlags extends DocumentFlags {
  input: string[];
  tokenizer: string;
  length: number;
  packing: 'wrap' | 'pad';
  out: string;
  dedup?: 'exact';
  validation: number;
  workers?: number;
  force: boolean;
}

const examples = `${documentHelp}
Stopped or killed, the same command continues where it was; if the data set is there already, nothing is done.

Examples:
  ldlm prepare --input stories.txt --tokenizer lm --length 48 --packing pad --out data/stories
  ldlm prepare --input openwebtext --tokenizer gpt2 --length 1024 --packing wrap --validation 100000 --out data/owt
  ldlm prepare --input 'news.en-*' --detokenize lm1b --tokenizer bert --length 128 --packing pad --out data/lm1b
  ldlm prepare --input 'dump/*.jsonl.zst' --column body --dedup exact --tokenizer gpt2/tokenizer.json --length 128 --packing wrap --out data/news`;

/** The command `ldlm prepare`. */
export function prepareCommand(): Command {
  const command = new Command('prepare')
    .description('turn text (txt, jsonl, parquet) into token shards and manifest.json')
    .requiredOption('--input <path...>', 'text files, folders or globs, read in this order')
    .requiredOption('--tokenizer <source>', 'a tokenizer.json, a Hugging Face folder with one, or an id of the hub')
    .requiredOption('--length <n>', 'tokens of a row', rowLength)
    .addOption(
      new Option('--packing <how>', 'wrap: documents joined by the end token and cut; pad: one document a row')
        .choices(['wrap', 'pad'])
        .makeOptionMandatory(),
    )
    .requiredOption('--out <dir>', 'the folder to make');
  return addDocumentOptions(command)
    .addOption(new Option('--dedup <how>', 'leave out documents equal to an earlier one').choices(['exact']))
    .option('--validation <n>', 'documents at the end that become a data set of their own, DIR/validation', wholeNumber(0), 0)
    .option('--workers <n>', 'threads that tokenize (default: one a core, at most 6)', wholeNumber(0))
    .option('--force', 'replace a data set that is already there', false)
    .addHelpText('after', examples)
    .action(run);
}

function rowLength(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 65535) return value;
  throw new InvalidArgumentError(`It must be a whole number in 1..65535, got ${text}.`);
}

async function run({ input, tokenizer: source, force, ...flags }: PrepareFlags): Promise<void> {
  const { folder } = await showingDownload(source, (onDownload) => resolveModel(source, ['tokenizer'], { onDownload }));
  const tokenizer = await Tokenizer.load(folder);
  let progress: Progress | undefined;
  try {
    await interruptible('Stopping; the same command continues.', async (signal) => {
      const { shards, inputs, ...summary } = await prepare({
        ...flags,
        inputs: input,
        tokenizer,
        replace: force,
        signal,
        onNotice: (text) => process.stderr.write(`${text}\n`),
        onCheck: (bytes, total) => {
          progress ??= createProgress({ total, unit: 'B', label: 'comparing' });
          progress.update(bytes);
        },
        onProgress: ({ bytes, totalBytes, realTokens }) => {
          progress ??= createProgress({ total: totalBytes, unit: 'B', label: 'tokenizing', start: bytes });
          progress.update(bytes, { tokens: realTokens.toLocaleString('en-US') });
        },
      });
      progress?.stop();
      process.stdout.write(`${JSON.stringify({ out: flags.out, ...summary, inputs: inputs.length, shards: shards.length }, null, 2)}\n`);
    });
  } finally {
    progress?.stop();
  }
}
