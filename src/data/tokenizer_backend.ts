// The two tokenizer libraries behind one small interface, and the places where they differ.

import { LdlmError } from '../api/errors.js';
import { dependencyVersion } from './dependency_version.js';
import type { TokenizerDefinition } from './tokenizer_files.js';

/** The name of the library on npm. */
export type TokenizerKind = 'tokenizers' | '@huggingface/tokenizers';

export interface TokenizerBackend {
  readonly kind: TokenizerKind;
  readonly version: string;
  encodeBatch(texts: readonly string[], addSpecialTokens: boolean): Promise<number[][]>;
  decodeBatch(batch: readonly number[][], skipSpecialTokens: boolean): Promise<string[]>;
}

/**
 * Loads `kind`, or the fastest library that is there. Truncation and padding stored in the file (as in many sentence encoders) would silently
 * cut documents: they are left out.
 */
export async function loadBackend(stored: TokenizerDefinition, kind?: TokenizerKind): Promise<TokenizerBackend> {
  const definition: TokenizerDefinition = { ...stored, truncation: null, padding: null };
  if (kind === '@huggingface/tokenizers') return loadJavaScript(definition);
  if (kind === 'tokenizers') return loadNative(definition);
  return (await canLoadNative()) ? loadNative(definition) : loadJavaScript(definition);
}

async function canLoadNative(): Promise<boolean> {
  return import('tokenizers').then(() => true, () => false);
}

async function loadNative(definition: TokenizerDefinition): Promise<TokenizerBackend> {
  const { Tokenizer } = await import('tokenizers').catch((cause: unknown) => {
    throw new LdlmError('ERR_LDLM_STATE', `the package 'tokenizers' must be installed and loadable, got: ${String(cause)}`, { cause });
  });
  const tokenizer = Tokenizer.fromString(JSON.stringify(definition));
  return {
    kind: 'tokenizers',
    version: await dependencyVersion('tokenizers'),
    async encodeBatch(texts, addSpecialTokens) {
      const encodings = await tokenizer.encodeBatch([...texts], { addSpecialTokens });
      return encodings.map((encoding) => encoding.getIds());
    },
    async decodeBatch(batch, skipSpecialTokens) {
      return tokenizer.decodeBatch(batch.map((ids) => [...ids]), skipSpecialTokens);
    },
  };
}

async function loadJavaScript(definition: TokenizerDefinition): Promise<TokenizerBackend> {
  const { Tokenizer } = await import('@huggingface/tokenizers');
  // It reads the unknown token of a word-level model from here only. Its clean-up of spaces would change the text.
  const config = { unk_token: definition.model.unk_token ?? undefined, clean_up_tokenization_spaces: false };
  const tokenizer = new Tokenizer(definition, config);
  const encode = (text: string, addSpecialTokens: boolean): number[] => {
    const { ids, tokens } = tokenizer.encode(text, { add_special_tokens: addSpecialTokens });
    const unknown = (ids as (number | undefined)[]).findIndex((id) => id === undefined);
    if (unknown < 0) return ids;
    throw new LdlmError(
      'ERR_LDLM_INVALID_ARGUMENT',
      `every token must be in the vocabulary, because this tokenizer has no unknown token; got '${tokens[unknown]}'`,
    );
  };
  // It refuses an empty list.
  const decode = (ids: number[], skipSpecialTokens: boolean): string =>
    ids.length === 0 ? '' : tokenizer.decode(ids, { skip_special_tokens: skipSpecialTokens });
  return {
    kind: '@huggingface/tokenizers',
    version: await dependencyVersion('@huggingface/tokenizers'),
    async encodeBatch(texts, addSpecialTokens) {
      return texts.map((text) => encode(text, addSpecialTokens));
    },
    async decodeBatch(batch, skipSpecialTokens) {
      return batch.map((ids) => decode(ids, skipSpecialTokens));
    },
  };
}
