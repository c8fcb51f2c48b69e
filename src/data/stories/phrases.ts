// The phrases that a slot of a sentence pattern may hold, as tables built from the lexicon. Generator and recogniser
// read the same tables: the one picks a row, the other looks a row up by its words.

import * as lexicon from './lexicon.js';

/** What a phrase says about the entity it names, e.g. `{ noun: 'ball', adjective: 'red', number: 'one' }`. */
export type Features = Readonly<Record<string, string>>;

/**
 * What a phrase does to its entity in the story:
 * `new` introduces it (*a red ball*), `known` refers back to it (*the ball*), `pronoun` too but only where the antecedent is near
 * (*it*), `move` changes the place (*to the park*), `stay` agrees with the place or sets the first one.
 */
export type PhraseUse = 'new' | 'known' | 'pronoun' | 'move' | 'stay' | 'filler';

/** One row of a table. `weight` is the relative chance that the generator picks it. */
export interface Phrase {
  readonly words: readonly string[];
  readonly features: Features;
  readonly use: PhraseUse;
  readonly tags: readonly string[];
  readonly weight: number;
}

const NO_TAGS: readonly string[] = [];
/** How much more often a pronoun is chosen than a name or a full noun phrase. */
const PRONOUN_WEIGHT = 30;
const ADJECTIVE_NONE = 'none';

function phrase(text: string, use: PhraseUse, features: Features = {}, weight = 1, tags = NO_TAGS): Phrase {
  return { words: text.split(' '), features, use, tags, weight };
}

const capitalised = (p: Phrase): Phrase => ({ ...p, words: p.words.map((w, i) => (i === 0 ? w[0]!.toUpperCase() + w.slice(1) : w)) });
const article = (next: string): string => (/^[aeiou]/.test(next) ? 'an' : 'a');

// Persons.
const PEOPLE = [...lexicon.GIRLS.map((name) => ({ name, gender: 'f' })), ...lexicon.BOYS.map((name) => ({ name, gender: 'm' }))];
const newNames = PEOPLE.map((person) => phrase(person.name, 'new', person));
const knownNames = PEOPLE.map((person) => phrase(person.name, 'known', person, 10));
const byGender = (f: string, m: string): Phrase[] => [
  phrase(f, 'pronoun', { gender: 'f' }, PRONOUN_WEIGHT),
  phrase(m, 'pronoun', { gender: 'm' }, PRONOUN_WEIGHT),
];

// Things, one or many.
const newThings = lexicon.THINGS.flatMap((thing) =>
  [ADJECTIVE_NONE, ...lexicon.THING_ADJECTIVES].flatMap((adjective) => {
    const before = adjective === ADJECTIVE_NONE ? '' : `${adjective} `;
    const one = `${before}${thing.singular}`;
    const features = { noun: thing.singular, adjective };
    return [
      phrase(`${article(one)} ${one}`, 'new', { ...features, number: 'one' }, 3, thing.tags),
      ...lexicon.PLURAL_COUNTS.map((count) =>
        phrase(`${count} ${before}${thing.plural}`, 'new', { ...features, number: 'many' }, 0.6, thing.tags)),
    ];
  }));
const knownThings = lexicon.THINGS.flatMap((thing) =>
  [{ noun: thing.singular, number: 'one', word: thing.singular }, { noun: thing.singular, number: 'many', word: thing.plural }]
    .flatMap(({ word, ...features }) => [
      phrase(`the ${word}`, 'known', features, 5, thing.tags),
      ...lexicon.THING_ADJECTIVES.map((adjective) => phrase(`the ${adjective} ${word}`, 'known', { ...features, adjective }, 15, thing.tags)),
    ]));
const byNumber = (one: string, many: string): Phrase[] => [
  phrase(one, 'pronoun', { number: 'one' }, PRONOUN_WEIGHT),
  phrase(many, 'pronoun', { number: 'many' }, PRONOUN_WEIGHT),
];

// Animals, always one.
const newAnimals = lexicon.ANIMALS.flatMap(({ noun, tags }) => [
  phrase(`${article(noun)} ${noun}`, 'new', { noun, adjective: ADJECTIVE_NONE }, 1, tags),
  ...lexicon.ANIMAL_ADJECTIVES.map((adjective) => phrase(`${article(adjective)} ${adjective} ${noun}`, 'new', { noun, adjective }, 1, tags)),
]);
const knownAnimals = lexicon.ANIMALS.flatMap(({ noun, tags }) => [
  phrase(`the ${noun}`, 'known', { noun }, 1, tags),
  ...lexicon.ANIMAL_ADJECTIVES.map((adjective) => phrase(`the ${adjective} ${noun}`, 'known', { noun, adjective }, 1, tags)),
]);

const places = (text: (p: lexicon.Place) => string, use: PhraseUse): Phrase[] =>
  lexicon.PLACES.map((p) => phrase(text(p), use, { noun: p.noun }, 1, p.tags));

const people: Record<string, readonly Phrase[]> = {
  new: newNames,
  Subj: [...knownNames, ...byGender('She', 'He')],
  subj: [...knownNames, ...byGender('she', 'he')],
  obj: [...knownNames, ...byGender('her', 'him')],
  /** A friend who may or may not have been met before. */
  anyone: [...newNames, ...knownNames],
  Poss: byGender('Her', 'His'),
  poss: byGender('her', 'his'),
  she: byGender('she', 'he'),
  him: byGender('her', 'him'),
  girl: [phrase('girl', 'new', { gender: 'f' }), phrase('boy', 'new', { gender: 'm' })],
};

/** Tables by role and form: `X.Subj` is `TABLES.X.Subj`. Capital forms begin a sentence. */
export const TABLES: Readonly<Record<string, Readonly<Record<string, readonly Phrase[]>>>> = {
  X: people,
  Y: people,
  T: {
    a: newThings,
    the: knownThings,
    The: knownThings.map(capitalised),
    obj: [...knownThings, ...byNumber('it', 'them')],
    it: byNumber('it', 'them'),
    was: byNumber('was', 'were'),
  },
  A: {
    a: newAnimals,
    A: newAnimals.map(capitalised),
    the: knownAnimals,
    The: knownAnimals.map(capitalised),
    it: [phrase('it', 'pronoun')],
  },
  P: {
    to: places((p) => `to the ${p.noun}`, 'move'),
    at: places((p) => `${p.preposition} the ${p.noun}`, 'stay'),
    the: places((p) => `the ${p.noun}`, 'stay'),
  },
};

/** Tables of the slots without a role, e.g. `<weather>`. */
export const FILLER_TABLES: Readonly<Record<string, readonly Phrase[]>> = Object.fromEntries(
  [...Object.entries(lexicon.FILLERS), ['placeNoun', lexicon.PLACES.map((p) => p.noun)] as const].map(
    ([name, texts]) => [name, texts.map((text) => phrase(text, 'filler'))]),
);
