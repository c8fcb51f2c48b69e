// `ldlm hidden`: hidden states of a frozen LM for text or token ids on stdin, for checks against other implementations.

import { Command } from 'commander';
import { LdlmError } from '../api/errors.js';
import { PretrainedEncoder } from '../api/pretrained_encoder.js';
import { Tokenizer } from '../data/tokenizer.js';
import { resolveModel } from '../hub/model_source.js';
import { showingDownload } from './download_progress.js';
import { deviceOption, integer, threadsOption } from './option_types.js';
import { stdinLines } from './stdin_lines.js';

interface HiddenFlags {
  encoder: string;
  layer: number;
  ids: boolean;
  device: 'auto' | 'cpu' | 'cuda';
}

const examples = `
Layers count as Hugging Face's hidden_states: 0 embeddings, k after block k, negative from the end.

Examples:
  echo "The quick brown fox" | ldlm hidden --encoder gpt2 --layer -3
  echo "[464, 2068, 7586]"   | ldlm hidden --encoder models/gpt2 --layer 0 --ids`;

/** The command `ldlm hidden`. */
export function hiddenCommand(): Command {
  return new Command('hidden')
    .description('hidden states of a frozen LM, a JSON object {"ids","hidden"} a line of stdin')
    .requiredOption('--encoder <source>', 'Hugging Face layout folder, or an id of the hub: ID or ID@REVISION')
    .requiredOption('--layer <k>', 'index into hidden_states', integer)
    .option('--ids', 'the lines are JSON arrays (or blank-separated lists) of token ids', false)
    .addOption(deviceOption())
    .addOption(threadsOption())
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: HiddenFlags): Promise<void> {
  const lines = await stdinLines();
  const { folder } = await showingDownload(flags.encoder, (onDownload) =>
    resolveModel(flags.encoder, flags.ids ? ['weights'] : ['weights', 'tokenizer'], { onDownload }),
  );
  await using encoder = await PretrainedEncoder.load(folder, { device: flags.device });
  const tokenizer = flags.ids ? null : await Tokenizer.load(folder);
  const H = encoder.shape.hiddenWidth;
  for (const line of lines) {
    const ids = tokenizer ? await tokenizer.encode(line, { addSpecialTokens: encoder.shape.family !== 'gpt2' }) : parseIds(line, encoder.shape.vocabulary);
    const flat = await encoder.hidden(Int32Array.from(ids), flags.layer);
    const hidden = ids.map((_, i) => Array.from(flat.subarray(i * H, (i + 1) * H)));
    process.stdout.write(JSON.stringify({ ids, hidden }) + '\n');
  }
}

function parseIds(line: string, vocabulary: number): number[] {
  const ids = (line.replace(/[[\],]/g, ' ').match(/\S+/g) ?? []).map(Number);
  if (ids.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `a line must hold at least one token id, got '${line.slice(0, 60)}'`);
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
  if (wrong === undefined) return ids;
  throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `token ids must be whole numbers in 0..${vocabulary - 1}, got ${wrong} in '${line.slice(0, 60)}'`);
}
