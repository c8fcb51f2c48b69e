// `ldlm prepare`: text files to token shards. Progress goes to stderr, the manifest (without the lists of files) to stdout.

import { Command, InvalidArgumentError, Option } from 'commander';
import { prepare } from '../data/prepare.js';
import { Tokenizer } from '../data/tokenizer.js';
import { resolveModel } from '../hub/model_source.js';
import { showingDownload } from './download_progress.js';
import { interruptible } from './interrupt.js';
import { createProgress } from './progress.js';

interface PrepareFlags {
  input: string[];
  tokenizer: string;
  length: number;
  packing: 'wrap' | 'pad';
  out: string;
  column?: string;
  force: boolean;
}

const examples = `
Files ending in .jsonl or .ndjson hold a JSON object a line, .parquet a table; any other file holds a document a line.

Examples:
  ldlm prepare --input stories.txt --tokenizer lm --length 48 --packing pad --out data/stories
  ldlm prepare --input a.parquet b.parquet --column text --tokenizer gpt2 --length 1024 --packing wrap --out data/owt
  ldlm prepare --input news.jsonl --column body --tokenizer gpt2/tokenizer.json --length 128 --packing wrap --out data/news --force`;

/** The command `ldlm prepare`. */
export function prepareCommand(): Command {
  return new Command('prepare')
    .description('turn text (txt, jsonl, parquet) into token shards and manifest.json')
    .requiredOption('--input <file...>', 'text files, read in this order')
    .requiredOption('--tokenizer <source>', 'a tokenizer.json, a Hugging Face folder with one, or an id of the hub')
    .requiredOption('--length <n>', 'tokens of a row', rowLength)
    .addOption(
      new Option('--packing <how>', 'wrap: documents joined by the end token and cut; pad: one document a row')
        .choices(['wrap', 'pad'])
        .makeOptionMandatory(),
    )
    .requiredOption('--out <dir>', 'the folder to make')
    .option('--column <name>', 'key or column with the text, for jsonl and parquet (default: text)')
    .option('--force', 'replace a data set that is already there', false)
    .addHelpText('after', examples)
    .action(run);
}

function rowLength(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 65535) return value;
  throw new InvalidArgumentError(`It must be a whole number in 1..65535, got ${text}.`);
}

async function run(flags: PrepareFlags): Promise<void> {
  const { folder } = await showingDownload(flags.tokenizer, (onDownload) => resolveModel(flags.tokenizer, ['tokenizer'], { onDownload }));
  const tokenizer = await Tokenizer.load(folder);
  let progress: ReturnType<typeof createProgress> | undefined;
  const prepared = interruptible('Stopping; nothing is written.', (signal) =>
    prepare({
      inputs: flags.input,
      tokenizer,
      length: flags.length,
      packing: flags.packing,
      out: flags.out,
      replace: flags.force,
      ...(flags.column !== undefined && { column: flags.column }),
      signal,
      onProgress: ({ bytes, totalBytes, realTokens }) => {
        progress ??= createProgress({ total: totalBytes, unit: 'B', label: 'tokenizing' });
        progress.update(bytes, { tokens: realTokens.toLocaleString('en-US') });
      },
    }),
  );
  const { shards, inputs, ...summary } = await prepared.finally(() => progress?.stop());
  process.stdout.write(`${JSON.stringify({ out: flags.out, ...summary, inputs: inputs.length, shards: shards.length }, null, 2)}\n`);
}
