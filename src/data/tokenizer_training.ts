// Trains a tokenizer on the user's own texts and gives it as a tokenizer.json object in Hugging Face format, which every library
// of that family loads (the npm packages have no trainer). Word-level for tiny closed vocabularies, byte-level BPE for real text.
// Both decode exactly: texts come back as they were, up to leading spaces and unknown words for word-level.

import { LdlmError } from '../api/errors.js';
import { learnMerges } from './bpe_merges.js';

/** A tokenizer.json as an object; write it with JSON.stringify. */
export type TokenizerJson = Record<string, unknown>;

/** Texts to train on; they are read once. */
export type Texts = Iterable<string> | AsyncIterable<string>;

/** The token that ends a document, id 0. */
export const endOfText = '<|endoftext|>';

const unknownToken = '<unk>';
/** Stands for a space in word-level tokens, as in SentencePiece. */
const spaceMark = '\u2581';
// Punctuation and ASCII symbols are words of their own; a word takes the space before it along: "A red ball." is ▁A ▁red ▁ball .
const punctuation = String.raw`\p{P}$+<=>^\x60|~`;
const wordPattern = `${spaceMark}?[^${spaceMark}${punctuation}]+|${spaceMark}|[${punctuation}]`;

/**
 * A word-level tokenizer of the most frequent words. Every word carries its leading space, so decoding is exact.
 * @param options.maxVocabulary largest number of tokens, <|endoftext|> (id 0) and <unk> (id 1) included
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT if there is no word or no room for one
 */
export async function trainWordLevel(texts: Texts, options: { maxVocabulary: number }): Promise<TokenizerJson> {
  requireVocabulary('maxVocabulary', options.maxVocabulary, 3);
  const pattern = new RegExp(wordPattern, 'gu');
  const counts = await countWords(texts, /<\|endoftext\|>|<unk>/, (text) => {
    const marked = text.replaceAll(' ', spaceMark);
    return (marked.startsWith(spaceMark) ? marked : spaceMark + marked).match(pattern) ?? [];
  });
  const words = [...counts].sort(([a, n], [b, m]) => m - n || compare(a, b)).map(([word]) => word);
  const tokens = [endOfText, unknownToken, ...words.slice(0, options.maxVocabulary - 2)];
  return {
    ...common,
    // <unk> is not special: it must stay visible in decoded text.
    added_tokens: [addedToken(0, endOfText, true), addedToken(1, unknownToken, false)],
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Metaspace', replacement: spaceMark, prepend_scheme: 'always', split: false },
        { type: 'Split', pattern: { Regex: wordPattern }, behavior: 'Isolated', invert: false },
      ],
    },
    decoder: { type: 'Metaspace', replacement: spaceMark, prepend_scheme: 'always', split: false },
    model: { type: 'WordLevel', vocab: vocabularyOf(tokens), unk_token: unknownToken },
  };
}

/**
 * A byte-level BPE tokenizer in the manner of GPT-2: it encodes any text and decodes exactly.
 * @param options.vocabulary number of tokens: <|endoftext|> (id 0), the 256 bytes, then the merges; fewer if pairs run out
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT if there is no text, or `vocabulary` < 257
 */
export async function trainByteLevelBpe(texts: Texts, options: { vocabulary: number }): Promise<TokenizerJson> {
  requireVocabulary('vocabulary', options.vocabulary, 257);
  const counts = await countWords(texts, /<\|endoftext\|>/, (text) => text.match(gpt2Pattern) ?? []);
  const { symbols, merges } = learnMerges(counts, byteCharacters(), options.vocabulary - 257);
  const tokens = [endOfText, ...symbols.slice(0, 256).sort(compare), ...symbols.slice(256)];
  return {
    ...common,
    added_tokens: [addedToken(0, endOfText, true)],
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: vocabularyOf(tokens),
      merges: merges.map((pair) => pair.join(' ')),
    },
  };
}

const common = { version: '1.0', truncation: null, padding: null, normalizer: null, post_processor: null };

/** How GPT-2 cuts text into words before merging. */
const gpt2Pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** GPT-2's printable character for each byte: printable Latin-1 stands for itself, the others move to U+0100 and up. */
function byteCharacters(): string[] {
  let moved = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCodePoint(printable ? byte : 0x100 + moved++);
  });
}

function addedToken(id: number, content: string, special: boolean): TokenizerJson {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}

/** Without a prototype, so that a word such as `__proto__` is a key like any other. */
function vocabularyOf(tokens: readonly string[]): Record<string, number> {
  const vocabulary = Object.create(null) as Record<string, number>;
  tokens.forEach((token, id) => (vocabulary[token] = id));
  return vocabulary;
}

/** Counts the words of all texts. Tokens written out in a text are matched before words are, and so are none. */
async function countWords(texts: Texts, tokens: RegExp, split: (text: string) => readonly string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const text of texts) {
    for (const part of text.split(tokens)) {
      if (part === '') continue;
      for (const word of split(part)) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  if (counts.size > 0) return counts;
  throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'the texts to train a tokenizer on must hold at least one word, got none');
}

function requireVocabulary(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${name} must be a whole number >= ${least}, got ${value}`);
}

/** By code unit: the same everywhere, unlike localeCompare. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
