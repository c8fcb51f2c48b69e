// Which files an input names: itself, those of a folder, or those of a glob. The order is the same on every machine: that of the list,
// and by name within a folder or glob.

import { stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';

/** Endings that mark the text files of a folder. A file that is named itself, or by a glob, may have any. */
const folderPattern = '**/*.{txt,text,jsonl,ndjson,parquet,txt.gz,text.gz,jsonl.gz,ndjson.gz,txt.zst,text.zst,jsonl.zst,ndjson.zst}';

/** A file to read. `size` and `modifiedMs` tell later whether it is still the same. */
export interface InputFile {
  path: string;
  size: number;
  modifiedMs: number;
}

/**
 * The files that `inputs` (files, folders, globs) name; each once, even if it is named twice.
 * @throws LdlmError ERR_LDLM_IO for an input that names no file, ERR_LDLM_INVALID_ARGUMENT for an empty list
 */
export async function listInputs(inputs: readonly string[]): Promise<InputFile[]> {
  if (inputs.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'inputs must name at least one file, got none');
  const paths = new Set<string>();
  for (const input of inputs) for (const path of await pathsOf(input)) paths.add(path);
  return Promise.all([...paths].map(describe));
}

/** Size and time of the file now. */
export async function describe(path: string): Promise<InputFile> {
  const entry = await stat(path).catch(ioError(path, 'a readable file'));
  if (entry.isFile()) return { path, size: entry.size, modifiedMs: entry.mtimeMs };
  throw new LdlmError('ERR_LDLM_IO', `${path} must be a file, got ${entry.isDirectory() ? 'a folder' : 'a device or pipe'}`);
}

async function pathsOf(input: string): Promise<string[]> {
  const entry = await stat(input).catch(() => undefined);
  if (entry?.isDirectory()) return sorted(await glob(folderPattern, { cwd: input, caseSensitiveMatch: false }), input, 'a folder with .txt, .jsonl or .parquet files', input);
  // A name with brackets may be a file's own; only a name that is not there is a pattern.
  if (entry || !isDynamicPattern(input)) return [input];
  return sorted(await glob(input, { absolute: isAbsolute(input) }), '', 'a pattern that matches a file', input);
}

function sorted(names: string[], folder: string, requirement: string, input: string): string[] {
  if (names.length === 0) throw new LdlmError('ERR_LDLM_IO', `${input} must be ${requirement}, got none`);
  return names.sort((a, b) => (a < b ? -1 : 1)).map((name) => (folder === '' ? name : join(folder, name)));
}
