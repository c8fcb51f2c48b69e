// Remembered words against the library on whole texts: the ids must be the same, or the tokenizer must not be cut at all.

import { beforeAll, describe, expect, it } from 'vitest';
import { loadBackend, type TokenizerBackend } from '../../src/data/tokenizer_backend.js';
import type { TokenizerDefinition } from '../../src/data/tokenizer_files.js';
import { trainByteLevelBpe, trainWordLevel } from '../../src/data/tokenizer_training.js';
import { rememberingWords, words } from '../../src/data/word_cache.js';

const alphabet = [
  ' ', ' ', ' ', '  ', '\n', '\r\n', '\t', '\u00a0', '\u0085', '\u2028', '\u3000', '\ufeff', 'a', 'b', 'the', 'dog', 'Cafe\u0301', '\u0301', '1', '234', '.', ',', "'s", "'", '$', '_',
  '漢', '字', 'ﬁ', 'İ', 'Σ', '👩‍👧', '\u200b', '\u0000', '<|endoftext|>', '<unk>', '[MASK]', '▁',
];

/** Texts of every meeting of white space, marks, letters and special tokens, the same in every run. */
function strangeTexts(count: number): string[] {
  let state = 7;
  const below = (end: number): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % 65521 % end;
  return Array.from({ length: count }, () => Array.from({ length: 1 + below(40) }, () => alphabet[below(alphabet.length)]!).join(''));
}

const texts = ['', ' ', 'a', 'The dog runs. The dog runs  too!\n\nAnd so on, 1234 times.', ...strangeTexts(400)];

const added = (content: string, id: number, options = {}) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...options });
const llamaPattern = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const llamaSplit = (pattern: string) => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
});

let bpe: TokenizerDefinition;
let wordLevel: TokenizerDefinition;
let definitions: Record<string, TokenizerDefinition>;
beforeAll(async () => {
  bpe = (await trainByteLevelBpe(texts, { vocabulary: 400 })) as TokenizerDefinition;
  wordLevel = (await trainWordLevel(texts, { maxVocabulary: 60 })) as TokenizerDefinition;
  const ids = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'the', 'dog', 'run', '##s', '.', 'cafe', 'a', '##b', '1', '字'];
  const bert = {
    added_tokens: ids.slice(0, 5).map((content, id) => added(content, id)),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' }, post_processor: null, decoder: null,
    model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab: Object.fromEntries(ids.map((token, id) => [token, id])) },
  } as unknown as TokenizerDefinition;
  definitions = {
    'GPT-2': bpe,
    'GPT-2 with a space before the text and a mask that takes the space before it': {
      ...bpe, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }, added_tokens: [...bpe.added_tokens, added('[MASK]', 500, { lstrip: true })],
    },
    'GPT-2 with NFKC': { ...bpe, normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }] } },
    BERT: bert,
    'Llama 3': { ...bpe, pre_tokenizer: llamaSplit(llamaPattern) },
    'Qwen 2': { ...bpe, normalizer: { type: 'NFC' }, pre_tokenizer: llamaSplit(llamaPattern.replace('{1,3}', '')) },
  };
});

/** What the library was asked for. */
async function run(definition: TokenizerDefinition, kind?: TokenizerBackend['kind']) {
  const backend = await loadBackend(definition, kind);
  const asked: string[] = [];
  const encode = (batch: readonly string[]) => (asked.push(...batch), backend.encodeBatch(batch, false));
  const encodeParts = rememberingWords(encode, definition);
  const ids = async (batch: readonly string[]) => (await encodeParts(batch)).map((parts) => parts.flat());
  return { ids, asked, whole: await backend.encodeBatch(texts, false) };
}

describe('words', () => {
  it('are cut before every space between two words, and nothing is lost', () => {
    expect([...words('A red  ball. \n She ')]).toEqual(['A', ' red  ball. \n She ']);
    expect([...words("It's a ball")]).toEqual(["It's", ' a', ' ball']);
    for (const text of texts) expect([...words(text)].join('')).toBe(text);
  });
});

describe('remembered words', () => {
  it.each(['GPT-2', 'GPT-2 with a space before the text and a mask that takes the space before it', 'GPT-2 with NFKC', 'BERT', 'Llama 3', 'Qwen 2'])(
    'give the ids of the whole texts, at first and when they come again (%s)', async (name) => {
      const { ids, asked, whole } = await run(definitions[name]!, 'tokenizers');
      expect(await ids(texts)).toEqual(whole);
      expect(Math.max(...asked.map((text) => text.length))).toBeLessThan(Math.max(...texts.map((text) => text.length)));
      asked.length = 0;
      expect(await ids(texts)).toEqual(whole);
      expect(asked.every((word) => word.length > 40)).toBe(true);
    });

  it('give the ids of whole texts with the library in JavaScript', async () => {
    const { ids, whole } = await run(bpe, '@huggingface/tokenizers');
    expect(await ids(texts)).toEqual(whole);
  });

  it('are not used where a token may reach over a space, or depends on more than the text', async () => {
    const refused: TokenizerDefinition[] = [
      wordLevel,
      { ...bpe, pre_tokenizer: null },
      { ...bpe, pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' } },
      { ...bpe, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: false } },
      { ...bpe, pre_tokenizer: llamaSplit(`${llamaPattern}|a b`) },
      { ...bpe, normalizer: { type: 'Prepend', prepend: '▁' } },
      { ...bpe, added_tokens: [...bpe.added_tokens, added('[MASK]', 500, { rstrip: true })] },
      { ...bpe, added_tokens: [...bpe.added_tokens, added('the dog', 500)] },
      { ...bpe, model: { ...bpe.model, dropout: 0.1 } },
    ];
    for (const definition of refused) {
      const asked: string[] = [];
      const encodeParts = rememberingWords(async (batch) => (asked.push(...batch), batch.map(() => [1])), definition);
      expect(await encodeParts(['a dog a dog'])).toEqual([[[1]]]);
      expect(asked).toEqual(['a dog a dog']);
    }
  });

  it('are not remembered when the library failed', async () => {
    let fails = true;
    const encodeParts = rememberingWords(async (batch) => {
      if (fails) throw new Error('no');
      return batch.map(() => [1, 2]);
    }, bpe);
    await expect(encodeParts(['a dog'])).rejects.toThrow('no');
    fails = false;
    expect(await encodeParts(['a dog'])).toEqual([[[1, 2], [1, 2]]]);
  });

  it('are forgotten in time, and asked for again', async () => {
    const asked: string[] = [];
    const encodeParts = rememberingWords(async (batch) => (asked.push(...batch), batch.map((word) => [word.length])), bpe);
    const many = (from: number) => Array.from({ length: 2 ** 16 }, (_, i) => `w${from + i}`).join(' ');
    for (let generation = 0; generation < 3; generation++) await encodeParts([many(generation * 2 ** 16)]);
    asked.length = 0;
    await encodeParts([` w${3 * 2 ** 16 - 1} w5`]);
    expect(asked).toEqual([' w5']);
  });
});
