// How `ldlm pretrain` and `ldlm prepare` read documents out of files. A model and its data must be read alike.

import { type Command, Option } from 'commander';
import { type Detokenizer, detokenizers } from '../data/detokenize.js';
import type { InvalidText } from '../data/invalid_text.js';

export interface DocumentFlags {
  column: string;
  detokenize?: Detokenizer;
  invalidUtf8: InvalidText;
}

export const documentHelp = `
Files ending in .jsonl or .ndjson hold a JSON object a line, .parquet a table; any other file holds a document a line. Text and jsonl may
be .gz or .zst. Of a folder the files ending in .txt, .text, .jsonl, .ndjson or .parquet are read, by name; a glob takes any.`;

export function addDocumentOptions(command: Command): Command {
  return command
    .option('--column <name>', 'key or column with the text, for jsonl and parquet', 'text')
    .addOption(new Option('--detokenize <corpus>', 'undo the spaces between words of a corpus').choices(Object.keys(detokenizers)))
    .addOption(new Option('--invalid-utf8 <how>', 'bytes that are no text: stop, or replace and count').choices(['stop', 'replace']).default('stop'));
}
