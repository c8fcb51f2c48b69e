// What a story has told so far, and what each further sentence does to it. Generator and validator share these rules,
// so what the one writes and what the other accepts cannot drift apart.

import type { Phrase } from './phrases.js';
import { mention, startDraft, type Cast, type Context, type Draft } from './reference.js';
import { COMPILED, type CompiledPattern } from './sentence.js';

/** The story so far. Immutable: `advance` returns a new one. */
export interface Narrative extends Context {
  readonly facts: ReadonlySet<string>;
  readonly used: ReadonlySet<CompiledPattern>;
  readonly ended: boolean;
}

/** Before the first sentence. */
export const EMPTY_NARRATIVE: Narrative = {
  entities: {}, facts: new Set(), used: new Set(), topic: null, recent: new Set(), ended: false,
};

/** A fact that must hold or must not hold, or that a sentence adds or removes. */
interface Condition { readonly fact: string; readonly holds: boolean }

/** A sentence pattern with its roles given to the persons of the story: one thing that can happen next. */
export interface Turn {
  readonly pattern: CompiledPattern;
  readonly cast: Cast;
  readonly weight: number;
  readonly needs: readonly Condition[];
  readonly effects: readonly Condition[];
}

const HERO_FIRST: Cast = { X: 'hero', Y: 'friend' };
const FRIEND_FIRST: Cast = { X: 'friend', Y: 'hero' };

function conditions(facts: string, cast: Cast): Condition[] {
  return facts.split(' ').filter(Boolean).map((text) => ({
    fact: text.replace('!', '').replace(/\.([XY])$/, (_, role: 'X' | 'Y') => `.${cast[role]}`),
    holds: !text.startsWith('!'),
  }));
}

function turnsOf(pattern: CompiledPattern): Turn[] {
  // The first person of a story is its hero; and where nobody plays X or Y, both casts would say the same.
  const symmetric = pattern.stage === 'opening' || !/\b[XY]\b/.test(`${pattern.text} ${pattern.needs} ${pattern.then}`);
  return (symmetric ? [HERO_FIRST] : [HERO_FIRST, FRIEND_FIRST]).map((cast) => ({
    pattern, cast, weight: pattern.weight, needs: conditions(pattern.needs, cast), effects: conditions(pattern.then, cast),
  }));
}

/** The turns of each pattern. */
export const TURNS: ReadonlyMap<CompiledPattern, readonly Turn[]> = new Map(COMPILED.map((pattern) => [pattern, turnsOf(pattern)]));

/** The reason why this turn cannot come next, or undefined if it can as far as its pattern is concerned. */
export function refusal(narrative: Narrative, { pattern, needs }: Turn): string | undefined {
  const first = narrative.used.size === 0;
  if (narrative.ended) return 'the story has already ended';
  if (first && pattern.stage !== 'opening') return 'a story must not begin like this';
  if (!first && pattern.stage === 'opening') return 'only the first sentence of a story may be like this';
  if (narrative.used.has(pattern)) return 'a sentence of this kind has been used already';
  const unmet = needs.find(({ fact, holds }) => narrative.facts.has(fact) !== holds);
  return unmet && `what was told before does not lead here (${unmet.holds ? 'it lacks' : 'it has'} the fact "${unmet.fact}")`;
}

/** Closes the sentence: the narrative after it. */
export function finishDraft(narrative: Narrative, { pattern, cast, effects }: Turn, draft: Draft): Narrative {
  const facts = new Set(narrative.facts);
  for (const { fact, holds } of effects) {
    if (holds) facts.add(fact);
    else facts.delete(fact);
  }
  const subject = pattern.slots.find((slot) => slot.subject)?.role;
  const topic = subject === 'X' || subject === 'Y' ? cast[subject] : narrative.topic;
  return {
    entities: draft.entities,
    facts,
    used: new Set([...narrative.used, pattern]),
    topic: pattern.clearsTopic ? null : topic,
    recent: draft.mentioned,
    ended: pattern.stage === 'ending',
  };
}

/** The narrative after a turn with these phrases in its slots, or the reason why the sentence cannot come next. */
export function advance(narrative: Narrative, turn: Turn, phrases: readonly Phrase[]): Narrative | string {
  const reason = refusal(narrative, turn);
  if (reason !== undefined) return reason;
  let draft = startDraft(narrative, turn.cast);
  for (const [index, slot] of turn.pattern.slots.entries()) {
    const next = mention(draft, slot.role, phrases[index]!);
    if (typeof next === 'string') return next;
    draft = next;
  }
  return finishDraft(narrative, turn, draft);
}
