// Documents out of files: txt (one a line), jsonl and parquet (one a row, from one column), picked by the ending of the name; txt and jsonl
// also as .gz and .zst. Bytes are read in order and held once, so memory stays flat for a file of any size. What a document means for the
// model (tokens, rows) is prepare.ts's.

import { extname } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { withoutCompression } from './byte_stream.js';
import { detokenizers, type Detokenizer } from './detokenize.js';
import { repairText, type InvalidText } from './invalid_text.js';
import { readLines, type Line } from './lines.js';
import { readParquet } from './parquet.js';

/** A place between two documents of a file. */
export interface FilePosition {
  /** Lines or rows before it. */
  record: number;
  /** Bytes of (decompressed) text before it; 0 for parquet. */
  offset: number;
}

/** One text, and how many bytes of its file it stands for (for progress; their sum is at most the size of the file). */
export interface Document {
  text: string;
  bytes: number;
  /** Something in it was no text and was replaced. */
  repaired: boolean;
  /** Where the next document begins. */
  next: FilePosition;
}

export interface ReadOptions {
  /** Key (jsonl) or column (parquet) that holds the text; default 'text'. */
  column?: string;
  /** Undoes the tokenization of a corpus that comes as words between spaces; default none. */
  detokenize?: Detokenizer | null;
  /** What happens to bytes that are no text; default 'stop'. */
  invalidUtf8?: InvalidText;
  /** Where to begin; default: the beginning. */
  from?: FilePosition;
}

export const fileBeginning: FilePosition = { record: 0, offset: 0 };

/**
 * The documents of one file, in order. Blank lines and empty texts come as documents without text ('').
 * @throws LdlmError ERR_LDLM_IO naming file and line: unreadable, binary, without any document, line too long, column missing
 * @example for await (const { text } of readDocuments('corpus.jsonl.zst', { column: 'body' })) console.log(text);
 */
export async function* readDocuments(path: string, options: ReadOptions = {}): AsyncGenerator<Document> {
  const { column = 'text', detokenize = null, invalidUtf8 = 'stop', from = fileBeginning } = options;
  const rewrite = detokenize === null ? (text: string) => text : detokenizers[detokenize];
  let any = from.record > 0;
  for await (const document of open(path, column, invalidUtf8, from)) {
    const blank = document.text.trim() === '';
    any ||= !blank;
    document.text = blank ? '' : rewrite(document.text);
    yield document;
  }
  if (!any) throw new LdlmError('ERR_LDLM_IO', `${path} must hold at least one document, got none: it is empty or blank`);
}

function open(path: string, column: string, invalid: InvalidText, from: FilePosition): AsyncGenerator<Document> {
  switch (extname(withoutCompression(path)).toLowerCase()) {
    case '.parquet':
      return readParquet(path, column, invalid, from.record);
    case '.jsonl':
    case '.ndjson':
      return readJsonLines(path, column, invalid, from);
    default:
      return readTextLines(path, invalid, from);
  }
}

async function* readTextLines(path: string, invalid: InvalidText, from: FilePosition): AsyncGenerator<Document> {
  for await (const line of readLines(path, { invalid, after: { number: from.record, end: from.offset } })) yield documentOf(line, line);
}

async function* readJsonLines(path: string, column: string, invalid: InvalidText, from: FilePosition): AsyncGenerator<Document> {
  for await (const line of readLines(path, { invalid, after: { number: from.record, end: from.offset } })) {
    const place = `${path}:${line.number}`;
    const text = line.text.trim() === '' ? '' : textOf(parseLine(line, place), place, column);
    const fixed = repairText(text, true, place, invalid);
    yield documentOf(line, { text: fixed.text, repaired: line.repaired || fixed.repaired });
  }
}

function documentOf({ number, end, bytes }: Line, { text, repaired }: { text: string; repaired: boolean }): Document {
  return { text, bytes, repaired, next: { record: number, offset: end } };
}

function parseLine(line: Line, place: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch (cause) {
    throw new LdlmError('ERR_LDLM_IO', `${place} must be JSON, got: ${String(cause)}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new LdlmError('ERR_LDLM_IO', `${place} must be a JSON object, got ${line.text.slice(0, 60)}`);
}

function textOf(row: Record<string, unknown>, place: string, column: string): string {
  if (!Object.hasOwn(row, column)) {
    const names = Object.keys(row).slice(0, 50).join(', ') || 'none';
    throw new LdlmError('ERR_LDLM_IO', `${place} must have the column '${column}', got the columns ${names}; pick one (--column, where the command has it; in programs column)`);
  }
  const text = row[column];
  if (typeof text === 'string') return text;
  throw new LdlmError('ERR_LDLM_IO', `${place} must hold text in the column '${column}', got ${text === null ? 'null' : typeof text}`);
}
