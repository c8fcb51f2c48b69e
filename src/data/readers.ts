// Documents out of files: txt (one a line), jsonl and parquet (one a row, from one column), picked by the ending of the name.
// Bytes are read in order and held once, so memory stays flat for a file of any size. What a document means for the model
// (tokens, rows) is prepare.ts's.

import { extname } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { readLines, type Line } from './lines.js';
import { readParquet } from './parquet.js';

/** One text, and how many bytes of its file it stands for (for progress; their sum is at most the size of the file). */
export interface Document {
  text: string;
  bytes: number;
}

export interface ReadOptions {
  /** Key (jsonl) or column (parquet) that holds the text; default 'text'. */
  column?: string;
}

/**
 * The documents of one file, in order; blank lines and empty texts are left out.
 * @throws LdlmError ERR_LDLM_IO naming file and line: unreadable, binary, without any document, line too long, column missing
 * @example for await (const { text } of readDocuments('corpus.jsonl', { column: 'body' })) console.log(text);
 */
export async function* readDocuments(path: string, options: ReadOptions = {}): AsyncGenerator<Document> {
  const column = options.column ?? 'text';
  let any = false;
  for await (const document of open(path, column)) {
    if (document.text.trim() === '') continue;
    any = true;
    yield document;
  }
  if (!any) throw new LdlmError('ERR_LDLM_IO', `${path} must hold at least one document, got none: it is empty or blank`);
}

function open(path: string, column: string): AsyncGenerator<Document> {
  switch (extname(path).toLowerCase()) {
    case '.parquet':
      return readParquet(path, column);
    case '.jsonl':
    case '.ndjson':
      return readJsonLines(path, column);
    default:
      return readLines(path);
  }
}

async function* readJsonLines(path: string, column: string): AsyncGenerator<Document> {
  for await (const line of readLines(path)) {
    if (line.text.trim() !== '') yield { text: textOf(parseLine(path, line), path, line.number, column), bytes: line.bytes };
  }
}

function parseLine(path: string, line: Line): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch (cause) {
    throw new LdlmError('ERR_LDLM_IO', `${path}:${line.number} must be JSON, got: ${String(cause)}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new LdlmError('ERR_LDLM_IO', `${path}:${line.number} must be a JSON object, got ${line.text.slice(0, 60)}`);
}

function textOf(row: Record<string, unknown>, path: string, number: number, column: string): string {
  if (!Object.hasOwn(row, column)) {
    const names = Object.keys(row).slice(0, 50).join(', ') || 'none';
    throw new LdlmError('ERR_LDLM_IO', `${path}:${number} must have the column '${column}', got the columns ${names}; pick one with --column`);
  }
  const text = row[column];
  if (typeof text === 'string') return text;
  throw new LdlmError('ERR_LDLM_IO', `${path}:${number} must hold text in the column '${column}', got ${text === null ? 'null' : typeof text}`);
}
