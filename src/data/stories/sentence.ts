// Recognises one sentence, without regard to the others: which patterns derive it, with which phrases in the slots.
// Agreement within the sentence is unification: phrases of one role must not contradict each other (*Anna ... her*, *The balls were*).

import { PATTERNS, type SentencePattern } from './patterns.js';
import { FILLER_TABLES, TABLES, type Features, type Phrase } from './phrases.js';
import { LdlmError } from '../../api/errors.js';

/** A role of sentence patterns: two persons, the thing, the animal, the place. */
export type Role = 'X' | 'Y' | 'T' | 'A' | 'P';

/** A place in a pattern for one phrase of a table; `role` is null for free fillers, `subject` marks a person as the sentence's subject. */
export interface Slot {
  readonly role: Role | null;
  readonly subject: boolean;
  readonly phrases: readonly Phrase[];
  /** Rows by their words joined with spaces. */
  readonly byText: ReadonlyMap<string, readonly Phrase[]>;
  /** Rows by the noun they name (undefined for names and pronouns), to find the rows that may mean a known entity. */
  readonly byNoun: ReadonlyMap<string | undefined, readonly Phrase[]>;
  readonly longest: number;
}

/** A pattern cut into literal words and slots. */
export interface CompiledPattern extends SentencePattern {
  readonly items: readonly (string | Slot)[];
  /** The slots among the items, in order. */
  readonly slots: readonly Slot[];
}

/** One way to derive a sentence: the pattern and the phrase chosen for each of its slots, in order. */
export interface Derivation {
  readonly pattern: CompiledPattern;
  readonly phrases: readonly Phrase[];
}

/** The parts of a pattern or a text: words and punctuation marks (and slots, in a pattern). */
const PATTERN_ITEM = /<[^>]+>|\w+|[^\w\s]/g;
const TOKEN = /\w+|[^\w\s]/g;
const SUBJECT_FORMS = new Set(['new', 'Subj', 'subj', 'anyone']);

/** Splits text into words and punctuation marks, the tokens of the stories. */
export function storyTokens(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/** Joins tokens with spaces, none before a punctuation mark: the inverse of `storyTokens` for every story. */
export function joinStoryTokens(tokens: readonly string[]): string {
  return tokens.join(' ').replace(/ (?=[^\w\s])/g, '');
}

function groupBy<Key>(phrases: readonly Phrase[], keyOf: (phrase: Phrase) => Key): Map<Key, Phrase[]> {
  const groups = new Map<Key, Phrase[]>();
  for (const phrase of phrases) {
    const group = groups.get(keyOf(phrase));
    if (group === undefined) groups.set(keyOf(phrase), [phrase]);
    else group.push(phrase);
  }
  return groups;
}

function compileSlot(source: string): Slot {
  const [path, tag] = source.slice(1, -1).split(':');
  const [head, form] = path!.split('.');
  const table = form === undefined ? FILLER_TABLES[head!] : TABLES[head!]?.[form];
  const phrases = tag === undefined ? table : table?.filter((phrase) => phrase.tags.includes(tag));
  if (phrases === undefined || phrases.length === 0) {
    throw new LdlmError('ERR_LDLM_STATE', `every slot must name a table of phrases.ts, got ${source}`);
  }
  const byText = groupBy(phrases, (phrase) => phrase.words.join(' '));
  const byNoun = groupBy(phrases, (phrase) => phrase.features.noun);
  const role = form === undefined ? null : (head as Role);
  const subject = (role === 'X' || role === 'Y') && SUBJECT_FORMS.has(form!);
  return { role, subject, phrases, byText, byNoun, longest: Math.max(...phrases.map((phrase) => phrase.words.length)) };
}

/** All patterns, ready for generating and recognising. */
export const COMPILED: readonly CompiledPattern[] = PATTERNS.map((pattern) => {
  const items = pattern.text.match(PATTERN_ITEM)!.map((item) => (item.startsWith('<') ? compileSlot(item) : item));
  return { ...pattern, items, slots: items.filter((item) => typeof item !== 'string') };
});

/** Every word and punctuation mark that a story can hold, sorted. */
export function storyVocabulary(): string[] {
  const words = COMPILED.flatMap(({ items }) =>
    items.flatMap((item) => (typeof item === 'string' ? [item] : item.phrases.flatMap((phrase) => phrase.words))));
  return [...new Set(words)].sort();
}

/** The features of both, or undefined where they contradict each other. */
export function unify(a: Features, b: Features): Features | undefined {
  for (const key in b) if (a[key] !== undefined && a[key] !== b[key]) return undefined;
  return { ...a, ...b };
}

type Bindings = Readonly<Partial<Record<Role, Features>>>;

/** Two persons of one sentence must differ, and only one of them may hide behind a pronoun. */
function personsDiffer({ X, Y }: Bindings): boolean {
  return X === undefined || Y === undefined || X.name !== Y.name;
}

/** The outcome of `recognise`: all derivations; where there is none, the number of leading tokens that some pattern allows. */
export interface Recognition {
  readonly derivations: readonly Derivation[];
  readonly matched: number;
}

/** Finds every derivation of the tokens of one sentence, its full stop included. */
export function recognise(tokens: readonly string[]): Recognition {
  const derivations: Derivation[] = [];
  let matched = 0;

  function extend(pattern: CompiledPattern, item: number, at: number, bindings: Bindings, phrases: readonly Phrase[]): void {
    matched = Math.max(matched, at);
    const expected = pattern.items[item];
    if (expected === undefined) {
      if (at === tokens.length && personsDiffer(bindings)) derivations.push({ pattern, phrases });
    } else if (typeof expected === 'string') {
      if (tokens[at] === expected) extend(pattern, item + 1, at + 1, bindings, phrases);
    } else {
      for (let length = 1; length <= expected.longest && at + length <= tokens.length; length++) {
        for (const phrase of expected.byText.get(tokens.slice(at, at + length).join(' ')) ?? []) {
          const features = expected.role === null ? {} : unify(bindings[expected.role] ?? {}, phrase.features);
          if (features === undefined) continue;
          const bound = expected.role === null ? bindings : { ...bindings, [expected.role]: features };
          extend(pattern, item + 1, at + length, bound, [...phrases, phrase]);
        }
      }
    }
  }

  for (const pattern of COMPILED) extend(pattern, 0, 0, {}, []);
  return { derivations, matched };
}
