import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TokenizerKind } from '../../src/data/tokenizer_backend.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { trainByteLevelBpe, trainWordLevel } from '../../src/data/tokenizer_training.js';

const kinds: TokenizerKind[] = ['tokenizers', '@huggingface/tokenizers'];

const stories = [
  'Anna has a red ball. She takes it.',
  'Ben sees a dog. The dog runs, and he runs too!',
  '"Where is the ball?" asks Anna. It is in the box.',
];
const hard = [
  ' leading and  double  spaces ', 'line\nbreaks\t\ttabs\r\n', "it's we'll I'd 'quoted'", 'Grüße, naïve café — “ok” …', '日本語のテキスト 한국어 русский',
  'emoji 👩‍👩‍👧 and 🇩🇪', '3.14 + 2 = 5.14 @-@ <unk> [x] {y} a_b $1', 'a\u00a0b\u200bc\u2028d', '\u2581already marked', '!!!???...', 'x',
];

async function folderWith(files: Record<string, unknown>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'ldlm-tokenizer-'));
  for (const [name, json] of Object.entries(files)) await writeFile(join(dir, name), JSON.stringify(json));
  return dir;
}

/** A small BERT tokenizer as such models ship it: lower-casing, special tokens around, truncation and padding stored. */
const bert = {
  version: '1.0',
  truncation: { max_length: 4, strategy: 'LongestFirst', stride: 0, direction: 'Right' },
  padding: { strategy: { Fixed: 8 }, direction: 'Right', pad_to_multiple_of: null, pad_id: 0, pad_type_id: 0, pad_token: '[PAD]' },
  added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map((content, id) => (
    { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[SEP]', type_id: 0 } }],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] }, '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] } },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100,
    vocab: Object.fromEntries(['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'the', 'dog', 'run', '##s', '.', 'cafe'].map((token, id) => [token, id])),
  },
};

let wordLevelDir: string;
let bpeDir: string;
beforeAll(async () => {
  wordLevelDir = await folderWith({ 'tokenizer.json': await trainWordLevel(stories, { maxVocabulary: 100 }) });
  bpeDir = await folderWith({ 'tokenizer.json': await trainByteLevelBpe([...stories, ...hard], { vocabulary: 320 }) });
});

describe.each(kinds)('with the library %s', (kind) => {
  it('says which library made the tokens', async () => {
    const tokenizer = await Tokenizer.load(bpeDir, { kind });
    expect(tokenizer.kind).toBe(kind);
    expect(tokenizer.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(tokenizer.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('word-level: gives a story its words, and the story back', async () => {
    const tokenizer = await Tokenizer.load(wordLevelDir, { kind });
    const ids = await tokenizer.encode(stories[0]!);
    const words = await Promise.all(ids.map((id) => tokenizer.decode([id])));
    expect(words).toEqual(['Anna', 'has', 'a', 'red', 'ball', '.', 'She', 'takes', 'it', '.']);
    expect(await tokenizer.decodeBatch(await tokenizer.encodeBatch(stories))).toEqual(stories);
    expect([tokenizer.endId, tokenizer.padId]).toEqual([0, null]);
  });

  it('word-level: shows an unknown word as <unk>, and hides the end token unless asked', async () => {
    const tokenizer = await Tokenizer.load(wordLevelDir, { kind });
    const ids = [...(await tokenizer.encode('Anna has a zebra.')), tokenizer.endId!];
    expect(await tokenizer.decode(ids)).toBe('Anna has a<unk>.');
    expect(await tokenizer.decode(ids, { keepSpecialTokens: true })).toBe('Anna has a<unk>.<|endoftext|>');
  });

  it('byte-level BPE: gives any text back exactly', async () => {
    const tokenizer = await Tokenizer.load(join(bpeDir, 'tokenizer.json'), { kind });
    const texts = [...stories, ...hard];
    expect(await tokenizer.decodeBatch(await tokenizer.encodeBatch(texts))).toEqual(texts);
  });

  it('gives no tokens for no text and no text for no tokens', async () => {
    const tokenizer = await Tokenizer.load(bpeDir, { kind });
    expect(await tokenizer.encode('')).toEqual([]);
    expect(await tokenizer.decode([])).toBe('');
    expect(await tokenizer.encodeBatch([])).toEqual([]);
  });

  it('leaves out ids that a model may have and the tokenizer has not', async () => {
    const tokenizer = await Tokenizer.load(wordLevelDir, { kind });
    const ids = await tokenizer.encode(stories[0]!);
    expect(await tokenizer.decode(Int32Array.from([...ids, tokenizer.vocabularySize, 99_999, -1]))).toBe(stories[0]);
  });

  it('BERT: adds special tokens only when asked, and ignores stored truncation and padding', async () => {
    const tokenizer = await Tokenizer.load(await folderWith({ 'tokenizer.json': bert }), { kind });
    const text = 'The dog runs. The dog, Café dogs.';
    const bare = [4, 5, 6, 7, 8, 4, 5, 1, 9, 5, 7, 8];
    expect(await tokenizer.encode(text)).toEqual(bare);
    expect(await tokenizer.encode(text, { addSpecialTokens: true })).toEqual([2, ...bare, 3]);
    expect(await tokenizer.decode([2, 4, 5, 6, 7, 8, 3, 0, 0])).toBe('the dog runs.');
    expect([tokenizer.endId, tokenizer.padId, tokenizer.vocabularySize]).toEqual([3, 0, 10]);
  });
});

it('both libraries give the same tokens', async () => {
  for (const dir of [wordLevelDir, bpeDir]) {
    const [native, javaScript] = await Promise.all(kinds.map((kind) => Tokenizer.load(dir, { kind })));
    expect(await javaScript!.encodeBatch([...stories, ...hard])).toEqual(await native!.encodeBatch([...stories, ...hard]));
  }
});

describe('loading', () => {
  it('takes end and padding tokens from tokenizer_config.json first', async () => {
    const dir = await folderWith({
      'tokenizer.json': await trainWordLevel(['a b c'], { maxVocabulary: 9 }),
      'tokenizer_config.json': { eos_token: { content: '<unk>' }, pad_token: '<|endoftext|>', sep_token: null },
    });
    expect(await Tokenizer.load(dir)).toMatchObject({ endId: 1, padId: 0 });
  });

  it('finds them again where it was saved', async () => {
    const names = { '<|im_end|>': 4, '<|endoftext|>': 5 };
    const added = Object.entries(names).map(([content, id]) => ({ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }));
    const words = await trainWordLevel(['a b'], { maxVocabulary: 9 });
    const folder = await folderWith({
      'tokenizer.json': { ...words, added_tokens: added, model: { ...(words['model'] as object), vocab: { a: 0, b: 1, '<unk>': 2 } } },
      'tokenizer_config.json': { eos_token: '<|im_end|>', pad_token: '<|endoftext|>' },
    });
    const copy = await folderWith({});
    await (await Tokenizer.load(folder)).save(copy);
    expect(await Tokenizer.load(copy)).toMatchObject({ endId: 4, padId: 5 });
  });

  it.each([
    ['no such place', 'ERR_LDLM_IO', /no-such-folder must be a tokenizer\.json or a folder with one/, 'no-such-folder'],
    ['a folder without tokenizer.json', 'ERR_LDLM_IO', /tokenizer\.json must be/, {}],
    ['another JSON', 'ERR_LDLM_INVALID_ARGUMENT', /Hugging Face format/, { 'tokenizer.json': { a: 1 } }],
    ['an unknown model', 'ERR_LDLM_INVALID_ARGUMENT', /Hugging Face format/, { 'tokenizer.json': { ...bert, model: { type: 'Strange', vocab: {} } } }],
  ])('says what is wrong with %s', async (_, code, message, place) => {
    const path = typeof place === 'string' ? place : await folderWith(place);
    await expect(Tokenizer.load(path)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('training', () => {
  it('word-level: keeps the most frequent words, ties in alphabetical order', async () => {
    const json = await trainWordLevel(['b a b c', 'b a d'], { maxVocabulary: 5 });
    expect(Object.keys((json['model'] as { vocab: object }).vocab)).toEqual(['<|endoftext|>', '<unk>', '\u2581b', '\u2581a', '\u2581c']);
  });

  it('byte-level BPE: learns the merges of the worked example of Sennrich et al.', async () => {
    // low x5, lower x2, newest x6, widest x3, each as a text of its own so that no space is part of a word.
    const texts = [...Array(5).fill('low'), ...Array(2).fill('lower'), ...Array(6).fill('newest'), ...Array(3).fill('widest')];
    const { vocab, merges } = (await trainByteLevelBpe(texts, { vocabulary: 257 + 4 }))['model'] as { vocab: object; merges: string[] };
    // 'es' and 'st' occur 9 times each, then 'est' 9, 'lo' and 'ow' 7 each, 'low' 7.
    expect(merges).toEqual(['e s', 'es t', 'l o', 'lo w']);
    expect(Object.keys(vocab).slice(257)).toEqual(['es', 'est', 'lo', 'low']);
  });

  it('byte-level BPE: counts kept pair by pair give the merges of counting anew at every step', async () => {
    const texts = [...stories, ...hard, 'abcabcabc aaaa aaa aa abab baba', 'banana bandana cabana'];
    const { merges } = (await trainByteLevelBpe(texts, { vocabulary: 400 }))['model'] as { merges: string[] };
    expect(merges.length).toBeGreaterThan(40);
    expect(merges).toEqual(slowMerges(texts, merges.length));
  });

  it('byte-level BPE: stops when no pair occurs twice, and has every symbol once', async () => {
    const { vocab, merges } = (await trainByteLevelBpe(['abab', 'abc abc'], { vocabulary: 5000 }))['model'] as { vocab: Record<string, number>; merges: string[] };
    expect(merges).toEqual(['a b', 'ab c']);
    expect(Object.values(vocab).sort((a, b) => a - b)).toEqual(Array.from({ length: 259 }, (_, id) => id));
  });

  it('refuses no text and sizes without room for a word', async () => {
    await expect(trainWordLevel([], { maxVocabulary: 10 })).rejects.toThrow(/at least one word, got none/);
    await expect(trainWordLevel(['a'], { maxVocabulary: 2 })).rejects.toThrow('maxVocabulary must be a whole number >= 3, got 2');
    await expect(trainByteLevelBpe(['a'], { vocabulary: 256 })).rejects.toThrow('vocabulary must be a whole number >= 257, got 256');
  });
});

/** BPE by the definition: count all pairs anew before each merge. The oracle for the fast one. */
function slowMerges(texts: string[], count: number): string[] {
  const pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
  let moved = 0;
  const symbols = Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : 256 + moved++);
  });
  const words: number[][] = [];
  for (const text of texts) for (const word of text.match(pattern) ?? []) words.push([...new TextEncoder().encode(word)]);
  const merges: string[] = [];
  while (merges.length < count) {
    const counts = new Map<string, number>();
    for (const word of words) for (let i = 1; i < word.length; i++) {
      const key = `${word[i - 1]},${word[i]}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const pairs = [...counts].map(([key, n]) => ({ n, pair: key.split(',').map(Number) as [number, number] }));
    pairs.sort((a, b) => b.n - a.n || a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1]);
    const [left, right] = pairs[0]!.pair;
    const symbol = symbols[left]! + symbols[right]!;
    let made = symbols.indexOf(symbol);
    if (made < 0) made = symbols.push(symbol) - 1;
    const merge = `${symbols[left]} ${symbols[right]}`;
    if (!merges.includes(merge)) merges.push(merge);
    for (const word of words) for (let i = 0; i + 1 < word.length; i++) if (word[i] === left && word[i + 1] === right) word.splice(i, 2, made);
  }
  return merges;
}
