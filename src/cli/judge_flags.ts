// The flags that say what texts are judged with, shared by the commands that judge.

import type { Command } from 'commander';
import { Scorer } from '../api/scorer.js';
import { readDocuments } from '../data/readers.js';
import { showingDownload } from './download_progress.js';

export interface JudgeFlags {
  scorer?: string;
  reference?: string;
  column: string;
}

/** Adds the flags of `JudgeFlags`; `otherwise` says what stands in for --reference where it is not given. */
export function addJudgeFlags(command: Command, otherwise?: string): Command {
  return command
    .option('--scorer <source>', 'a causal LM of the GPT-2 family: a Hugging Face folder, or an id of the hub')
    .option('--reference <file>', `held-out texts: txt (one a line), jsonl or parquet${otherwise === undefined ? '' : ` (default: ${otherwise})`}`)
    .option('--column <name>', 'column of the text in jsonl and parquet', 'text');
}

/** The scorer of --scorer, from a folder or the hub; null without the flag. */
export async function loadScorer({ scorer: source }: JudgeFlags, device: 'auto' | 'cpu' | 'cuda', signal: AbortSignal): Promise<Scorer | null> {
  return source === undefined ? null : showingDownload(source, (onDownload) => Scorer.load(source, { device, onDownload, signal }));
}

/** The first `count` texts of --reference, fewer if it has fewer; null without the flag. Blank lines are no texts. */
export async function referenceTexts({ reference, column }: JudgeFlags, count: number): Promise<string[] | null> {
  if (reference === undefined) return null;
  const texts: string[] = [];
  for await (const { text } of readDocuments(reference, { column })) if (text !== '' && texts.push(text) === count) break;
  return texts;
}
