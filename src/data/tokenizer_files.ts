// tokenizer.json, and the tokenizer_config.json beside it that says which tokens end and pad a document. Wherever a tokenizer goes, both go.

import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';
import { tokenIds } from './vocabulary.js';

const definitionSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().min(0), content: z.string(), special: z.boolean() })),
  // A map for BPE, WordPiece and WordLevel; a list of [token, score] for Unigram.
  model: z.looseObject({
    vocab: z.union([z.record(z.string(), z.int().min(0)), z.array(z.tuple([z.string(), z.number()]))]),
    unk_token: z.string().nullish(),
  }),
});

/** tokenizer.json, checked as far as this package reads it; the rest is the libraries'. */
export type TokenizerDefinition = z.infer<typeof definitionSchema>;

/** A tokenizer's two files: the second is optional. */
export const tokenizerNames = ['tokenizer.json', 'tokenizer_config.json'] as const;

export interface SpecialIds {
  end: number | null;
  pad: number | null;
  unknown: number | null;
}

/** What tokenizer_config.json has to say for the same special ids to be found again. */
export interface SpecialTokens {
  eos_token: string | null;
  pad_token: string | null;
}

export interface TokenizerFiles {
  definition: TokenizerDefinition;
  json: Buffer;
  specialIds: SpecialIds;
  specialTokens: SpecialTokens;
  vocabularySize: number;
}

/** The tokens of ids that end and pad documents; one that also ends them is no padding token of its own. */
export function specialTokensOf(definition: TokenizerDefinition, { endId, padId }: { endId: number; padId: number }): SpecialTokens {
  const tokens = new Map([...tokenIds(definition)].map(([token, id]) => [id, token]));
  return { eos_token: tokens.get(endId) ?? null, pad_token: padId === endId ? null : (tokens.get(padId) ?? null) };
}

/** tokenizer_config.json that says so. */
export function specialTokensJson(tokens: SpecialTokens): string {
  return `${JSON.stringify(tokens, null, 2)}\n`;
}

/** Reads `path`, a tokenizer.json or a folder with one. */
export async function readTokenizerFiles(path: string): Promise<TokenizerFiles> {
  const requirement = 'a tokenizer.json or a folder with one';
  const entry = await stat(path).catch(ioError(path, requirement));
  const file = entry.isDirectory() ? join(path, tokenizerNames[0]) : path;
  const json = await readFile(file).catch(ioError(file, requirement));
  const parsed = parseJson(file, json.toString('utf8'));
  const result = definitionSchema.safeParse(parsed);
  if (!result.success) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${file} must be a tokenizer.json in Hugging Face format, got: ${z.prettifyError(result.error)}`);
  }
  const definition = parsed as TokenizerDefinition; // not zod's copy of it, which would cost time and memory for a large vocabulary
  const ids = tokenIds(definition);
  const named = await readSpecialNames(dirname(file));
  const find = (...names: (string | undefined)[]): string | null => names.find((name) => name !== undefined && ids.has(name)) ?? null;
  const idOf = (token: string | null): number | null => (token === null ? null : ids.get(token)!);
  const specialTokens = {
    eos_token: find(named.eos_token, named.sep_token, '<|endoftext|>', '</s>', '<eos>', '<|end_of_text|>', '[SEP]'),
    pad_token: find(named.pad_token, '[PAD]', '<pad>', '<|pad|>'),
  };
  const specialIds = {
    end: idOf(specialTokens.eos_token),
    pad: idOf(specialTokens.pad_token),
    // By name for BPE, WordPiece and word-level models, by place for Unigram.
    unknown: typeof definition.model['unk_id'] === 'number' ? definition.model['unk_id'] : idOf(find(definition.model.unk_token ?? undefined)),
  };
  let vocabularySize = 0;
  for (const id of ids.values()) vocabularySize = Math.max(vocabularySize, id + 1);
  return { definition, json, specialIds, specialTokens, vocabularySize };
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${file} must hold JSON, got: ${String(cause)}`, { cause });
  }
}

/** A special token in tokenizer_config.json is its text, or an object with it. */
const nameSchema = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content), z.null().transform(() => undefined)])
  .optional()
  .catch(undefined);
const namesSchema = z.object({ eos_token: nameSchema, sep_token: nameSchema, pad_token: nameSchema });

async function readSpecialNames(dir: string): Promise<z.infer<typeof namesSchema>> {
  const file = join(dir, tokenizerNames[1]);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}';
    return ioError(file, 'a readable file')(error);
  });
  return namesSchema.parse(parseJson(file, text));
}
