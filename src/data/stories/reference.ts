// Reference within a story: who or what a phrase means, and whether it can mean that here. One function, `mention`, decides it
// for the generator and for the validator.

import type { Features, Phrase } from './phrases.js';
import { unify, type Role, type Slot } from './sentence.js';

/** The persons of a story. */
export type Person = 'hero' | 'friend';
/** What a story can refer to: at most one of each. */
export type EntityKey = Person | 'thing' | 'animal' | 'place';
/** What the story has said about each entity that it has introduced. */
export type Entities = Readonly<Partial<Record<EntityKey, Features>>>;
/** Who plays the roles X and Y in a sentence. */
export type Cast = Readonly<Record<'X' | 'Y', Person>>;

/** What earlier sentences offer to refer to. */
export interface Context {
  readonly entities: Entities;
  /** The person that a pronoun means: the subject of the last sentence that had one person as its subject. */
  readonly topic: Person | null;
  /** What the previous sentence mentioned: an *it* may mean the thing there, unless an animal is there too. */
  readonly recent: ReadonlySet<EntityKey>;
}

/** A sentence in the making: what was told before it, and what its phrases have said up to now. */
export interface Draft {
  readonly before: Context;
  readonly cast: Cast;
  readonly entities: Entities;
  readonly mentioned: ReadonlySet<EntityKey>;
}

const ENTITY_OF_ROLE = { T: 'thing', A: 'animal', P: 'place' } as const;

function entityOf(role: Role, cast: Cast): EntityKey {
  return role === 'X' || role === 'Y' ? cast[role] : ENTITY_OF_ROLE[role];
}

/** An empty sentence after `before`. */
export function startDraft(before: Context, cast: Cast): Draft {
  return { before, cast, entities: before.entities, mentioned: new Set() };
}

/** True if the entity has every feature of the phrase. */
function agrees(entity: Features, phrase: Phrase): boolean {
  for (const key in phrase.features) if (entity[key] !== phrase.features[key]) return false;
  return true;
}

function hasAntecedent({ before, mentioned }: Draft, key: EntityKey): boolean {
  if (mentioned.has(key)) return true;
  if (key === 'hero' || key === 'friend') return before.topic === key;
  return before.recent.has(key) && !before.recent.has('animal') && !mentioned.has('animal');
}

function objectionToNew({ before, entities }: Draft, key: EntityKey, phrase: Phrase): string | undefined {
  if (before.entities[key] !== undefined) return `would be a second ${key}`;
  const other = key === 'hero' ? entities.friend : key === 'friend' ? entities.hero : undefined;
  if (other !== undefined && other.name === phrase.features.name) return 'is already in the story';
  const entity = entities[key];
  return entity === undefined || unify(entity, phrase.features) !== undefined ? undefined : `does not agree with the ${key}`;
}

/** Why the phrase cannot stand here; undefined if it can. Called for every row of a table, so it builds no messages of its own. */
function objection(draft: Draft, key: EntityKey, phrase: Phrase): string | undefined {
  const entity = draft.entities[key];
  switch (phrase.use) {
    case 'new':
      return objectionToNew(draft, key, phrase);
    case 'move':
      return entity !== undefined && agrees(entity, phrase) ? 'is where the story is already' : undefined;
    case 'stay':
      return entity === undefined || agrees(entity, phrase) ? undefined : 'is not where the story is';
    case 'pronoun':
      return hasAntecedent(draft, key) && agrees(entity ?? {}, phrase) ? undefined : 'refers to nobody or nothing here';
    default:
      if (entity === undefined) return 'has not been introduced';
      return agrees(entity, phrase) ? undefined : `is not the ${key} of this story`;
  }
}

/** The phrases of a slot that can stand next in the sentence. */
export function candidates(draft: Draft, slot: Slot): readonly Phrase[] {
  const { role } = slot;
  if (role === null) return slot.phrases;
  const key = entityOf(role, draft.cast);
  const entity = draft.entities[key];
  // A row that names another noun than the entity's need not be looked at, except for a place to move to.
  const rows = entity === undefined || key === 'place' ? slot.phrases
    : [...(slot.byNoun.get(entity.noun) ?? []), ...(entity.noun === undefined ? [] : (slot.byNoun.get(undefined) ?? []))];
  return rows.filter((phrase) => objection(draft, key, phrase) === undefined);
}

/** Adds one phrase to the sentence. Returns the longer draft, or the reason why the phrase cannot stand here. */
export function mention(draft: Draft, role: Role | null, phrase: Phrase): Draft | string {
  if (role === null) return draft;
  const key = entityOf(role, draft.cast);
  const reason = objection(draft, key, phrase);
  if (reason !== undefined) return `"${phrase.words.join(' ')}" ${reason}`;
  const told = phrase.use === 'move' ? undefined : draft.entities[key];
  const entities = { ...draft.entities, [key]: { ...told, ...phrase.features } };
  return { ...draft, entities, mentioned: new Set([...draft.mentioned, key]) };
}
