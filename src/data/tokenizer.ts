// Text to token ids and back, by a Hugging Face tokenizer.json. Two libraries can do it: `tokenizers` (native, several times
// faster, optional) and `@huggingface/tokenizers` (JavaScript). They agree but for rare characters, so a dataset records which one
// made it. Both are loaded on first use only.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { writeFileAtomic } from './atomic.js';
import { loadBackend, type TokenizerBackend, type TokenizerKind } from './tokenizer_backend.js';
import { readTokenizerFiles, type SpecialIds, type SpecialTokens, specialTokensJson, tokenizerNames } from './tokenizer_files.js';

export interface TokenizerLoadOptions {
  /** The library to use; default: `tokenizers` if it can be loaded, else `@huggingface/tokenizers`. */
  kind?: TokenizerKind;
}

export interface EncodeOptions {
  /** Adds what the tokenizer's own post-processor adds, such as [CLS] and [SEP]; default false. */
  addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Keeps special tokens (end, padding, [CLS]) in the text; default false. */
  keepSpecialTokens?: boolean;
}

/**
 * A loaded tokenizer. The text of a special token inside a text ("<|endoftext|>") becomes that token, as everywhere in this format.
 * @example
 * const tokenizer = await Tokenizer.load('gpt2');
 * await tokenizer.decode(await tokenizer.encode('Hello there.')); // 'Hello there.'
 */
export class Tokenizer {
  private constructor(
    private readonly backend: TokenizerBackend,
    private readonly specialIds: SpecialIds,
    private readonly specialTokens: SpecialTokens,
    /** The bytes of tokenizer.json. */
    readonly json: Buffer,
    /** Largest id + 1. */
    readonly vocabularySize: number,
  ) {}

  /**
   * Loads `path`: a tokenizer.json, or a folder that holds one (there tokenizer_config.json is read too, for the special tokens).
   * @throws LdlmError ERR_LDLM_IO if it cannot be read, ERR_LDLM_INVALID_ARGUMENT if it is no tokenizer
   */
  static async load(path: string, options: TokenizerLoadOptions = {}): Promise<Tokenizer> {
    const files = await readTokenizerFiles(path);
    const backend = await loadBackend(files.definition, options.kind).catch((cause: unknown) => {
      if (cause instanceof LdlmError) throw cause;
      throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${path} must hold a tokenizer.json in Hugging Face format, got: ${String(cause)}`, { cause });
    });
    return new Tokenizer(backend, files.specialIds, files.specialTokens, files.json, files.vocabularySize);
  }

  /** Writes tokenizer.json, and tokenizer_config.json with the end and padding tokens, into `folder`: what `load` needs to give the same tokenizer. */
  async save(folder: string): Promise<void> {
    await writeFileAtomic(join(folder, tokenizerNames[0]), this.json);
    await writeFileAtomic(join(folder, tokenizerNames[1]), specialTokensJson(this.specialTokens));
  }

  /** The library in use, and its version. */
  get kind(): TokenizerKind {
    return this.backend.kind;
  }
  get version(): string {
    return this.backend.version;
  }

  /** SHA-256 of tokenizer.json, in hex. */
  get sha256(): string {
    return createHash('sha256').update(this.json).digest('hex');
  }

  /** The token that ends a document: EOS, or [SEP] for BERT; null if the tokenizer has none. */
  get endId(): number | null {
    return this.specialIds.end;
  }

  /** The padding token; null if the tokenizer has none. */
  get padId(): number | null {
    return this.specialIds.pad;
  }

  /** The token for what the vocabulary does not have; null if the tokenizer has none. */
  get unknownId(): number | null {
    return this.specialIds.unknown;
  }

  async encode(text: string, options: EncodeOptions = {}): Promise<number[]> {
    const [ids] = await this.encodeBatch([text], options);
    return ids!;
  }

  /** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT for a text with a token outside the vocabulary, if there is no unknown token */
  async encodeBatch(texts: readonly string[], options: EncodeOptions = {}): Promise<number[][]> {
    return this.backend.encodeBatch(texts, options.addSpecialTokens ?? false);
  }

  /** The text of `ids`. Ids outside the vocabulary (a model may have spare ones) stand for no text. */
  async decode(ids: ArrayLike<number>, options: DecodeOptions = {}): Promise<string> {
    const [text] = await this.decodeBatch([ids], options);
    return text!;
  }

  async decodeBatch(batch: readonly ArrayLike<number>[], options: DecodeOptions = {}): Promise<string[]> {
    const known = batch.map((ids) => Array.from(ids).filter((id) => id >= 0 && id < this.vocabularySize));
    return this.backend.decodeBatch(known, !options.keepSpecialTokens);
  }
}
