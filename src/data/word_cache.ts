// Tokenizing by remembered words. Nearly every word of a text came before, and to look up its ids takes a small part of the time of
// tokenizing it again. Only for tokenizers whose tokens never reach across a space between two words: there the tokens of a text are
// those of its words, each taken with the space before it.

import type { TokenizerDefinition } from './tokenizer_files.js';

/** Ids of each text. */
export type Encode = (texts: readonly string[]) => Promise<number[][]>;

/** Words remembered at least, and at most twice as many: some 10 to 20 MB. */
const remembered = 2 ** 16;
/** Longer ones hardly come again. */
const longestWord = 40;

/** The ids of each text as a list of parts, of words or of the whole. */
export type EncodeParts = (texts: readonly string[]) => Promise<(readonly number[])[][]>;

/** `encode` by remembered words where the tokenizer allows it, else as it is. */
export function rememberingWords(encode: Encode, definition: TokenizerDefinition): EncodeParts {
  if (!keepsWordsApart(definition)) return async (texts) => (await encode(texts)).map((ids) => [ids]);
  const memory = new WordMemory();
  return async (texts) => {
    const unknown = new Map<string, number[]>();
    const parts = texts.map((text) => Array.from(words(text), (word) => memory.get(word) ?? unknown.get(word) ?? place(unknown, word)));
    const found = unknown.size > 0 ? await encode([...unknown.keys()]) : [];
    let next = 0;
    for (const [word, ids] of unknown) {
      for (const id of found[next++]!) ids.push(id);
      memory.set(ownCopy(word), ids);
    }
    return parts;
  };
}

/** The list of a word that is not known yet, to be filled once it is. */
function place(unknown: Map<string, number[]>, word: string): number[] {
  const ids: number[] = [];
  unknown.set(word, ids);
  return ids;
}

/** Cuts a text before every space that stands alone between two words. */
export function* words(text: string): Generator<string> {
  let start = 0;
  for (let at = text.indexOf(' ', 1); at >= 0; at = text.indexOf(' ', at + 1)) {
    if (!isInk(text, at - 1) || !isInk(text, at + 1)) continue;
    yield text.slice(start, at);
    start = at;
  }
  yield text.slice(start);
}

function isInk(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code > 0x20 && code < 0x7f ? true : /\S/.test(text[at] ?? ' ');
}

/** Forgets what has not come for long: of two generations the older one goes when the younger is full. */
class WordMemory {
  private young = new Map<string, readonly number[]>();
  private old = new Map<string, readonly number[]>();

  get(word: string): readonly number[] | undefined {
    const ids = this.young.get(word);
    if (ids) return ids;
    const before = this.old.get(word);
    if (before) this.set(word, before);
    return before;
  }

  set(word: string, ids: readonly number[]): void {
    if (word.length > longestWord) return;
    if (this.young.size >= remembered) [this.old, this.young] = [this.young, new Map()];
    this.young.set(word, ids);
  }
}

/** V8 makes a slice of 13 characters and more as a reference into the whole text, which a remembered word would keep alive. */
function ownCopy(word: string): string {
  return Buffer.from(word).toString();
}

interface Step {
  type?: string;
  [option: string]: unknown;
}

/** Work on single characters, or on those that belong together; a space never does. */
const normalizers = ['BertNormalizer', 'Lowercase', 'NFC', 'NFD', 'NFKC', 'NFKD', 'StripAccents'];
/** Begin a token anew at every run of white space. */
const wordSplitters = ['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit'];
/** The patterns of Llama 3 and of Qwen 2 and 3. Like GPT-2's, which is that of ByteLevel, they have a space at the beginning of a token only. */
const patterns = ['\\p{N}{1,3}', '\\p{N}'].map(
  (digits) => `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
);

function keepsWordsApart({ normalizer, pre_tokenizer, model, added_tokens }: TokenizerDefinition): boolean {
  const addedKeepTo = added_tokens.every(({ content, rstrip }) => rstrip !== true && !content.includes(' '));
  const isRandom = typeof model['dropout'] === 'number' && model['dropout'] > 0;
  return addedKeepTo && !isRandom && steps(normalizer, 'normalizers').every(({ type = '' }) => normalizers.includes(type)) && splitsWords(steps(pre_tokenizer, 'pretokenizers'));
}

function splitsWords([first, second, ...more]: Step[]): boolean {
  if (!first || more.length > 0) return false;
  const isBytes = (step: Step, useRegex: boolean): boolean => step.type === 'ByteLevel' && (step['use_regex'] ?? true) === useRegex;
  if (!second) return isBytes(first, true) || wordSplitters.includes(first.type ?? '');
  const { pattern, behavior, invert } = first as { pattern?: { Regex?: string }; behavior?: string; invert?: boolean };
  return first.type === 'Split' && behavior === 'Isolated' && invert !== true && patterns.includes(pattern?.Regex ?? '') && isBytes(second, false);
}

/** One step, or those of a Sequence. */
function steps(part: unknown, key: string): Step[] {
  if (part === null || part === undefined) return [];
  const step = part as Step;
  return step.type === 'Sequence' ? (step[key] as Step[]) : [step];
}
