// Writes stories: draws sentence patterns and phrases at random among those that the narrative allows.
// A story is a function of (seed, index) alone, so a corpus can be read from any position.

import { LdlmError } from '../../api/errors.js';
import { EMPTY_NARRATIVE, finishDraft, refusal, TURNS, type Narrative, type Turn } from './narrative.js';
import { createRandom, pickWeighted, type Random } from './random.js';
import { candidates, mention, startDraft } from './reference.js';
import { joinStoryTokens } from './sentence.js';

/** Sentences in a story, at least and at most. */
export const STORY_SENTENCES = { min: 3, max: 6 } as const;
/** Words and punctuation marks in a story, at most: with one end-of-text token it fits a model length of 48. */
export const STORY_MAX_TOKENS = 47;

/** Lengths to aim for. Many long drafts do not fit and are drawn again, at the same length, so these are the shares of the corpus. */
const LENGTHS = [{ sentences: 3, weight: 1 }, { sentences: 4, weight: 4 }, { sentences: 5, weight: 7 }, { sentences: 6, weight: 3 }];

const ALL_TURNS = [...TURNS.values()].flat();
/** Every slot holds at least one word, so no sentence is shorter: a draft that cannot fit any more is given up early. */
const SHORTEST_SENTENCE = Math.min(...ALL_TURNS.map(({ pattern }) => pattern.items.length));

interface Written { tokens: string[]; narrative: Narrative }

function writeSentence(narrative: Narrative, turn: Turn, random: Random): Written | undefined {
  let draft = startDraft(narrative, turn.cast);
  const tokens: string[] = [];
  for (const item of turn.pattern.items) {
    if (typeof item === 'string') {
      tokens.push(item);
      continue;
    }
    const choices = candidates(draft, item);
    if (choices.length === 0) return undefined;
    const phrase = pickWeighted(choices, random);
    const next = mention(draft, item.role, phrase);
    if (typeof next === 'string') return undefined;
    draft = next;
    tokens.push(...phrase.words);
  }
  return { tokens, narrative: finishDraft(narrative, turn, draft) };
}

function continueStory(narrative: Narrative, isLast: boolean, random: Random): Written | undefined {
  const choices = ALL_TURNS.filter((turn) => (turn.pattern.stage === 'ending') === isLast && refusal(narrative, turn) === undefined);
  while (choices.length > 0) {
    const turn = pickWeighted(choices, random);
    const written = writeSentence(narrative, turn, random);
    if (written !== undefined) return written;
    choices.splice(choices.indexOf(turn), 1);
  }
  return undefined;
}

/** One draft of the given length, or undefined where it ran into a dead end or grew too long. */
function writeStory(sentences: number, random: Random): string[] | undefined {
  const tokens: string[] = [];
  let narrative = EMPTY_NARRATIVE;
  for (let sentence = 1; sentence <= sentences; sentence++) {
    const written = continueStory(narrative, sentence === sentences, random);
    if (written === undefined) return undefined;
    tokens.push(...written.tokens);
    if (tokens.length + SHORTEST_SENTENCE * (sentences - sentence) > STORY_MAX_TOKENS) return undefined;
    narrative = written.narrative;
  }
  return tokens;
}

/**
 * Story number `index` (>= 0) of the corpus `seed`: 3 to 6 sentences, at most 47 tokens, on one line.
 *
 * @example
 * generateStory(7, 0); // 'Rosa had two red balls. ...'
 */
export function generateStory(seed: number, index: number): string {
  const random = createRandom(seed, index);
  const { sentences } = pickWeighted(LENGTHS, random);
  for (;;) {
    const tokens = writeStory(sentences, random);
    if (tokens !== undefined) return joinStoryTokens(tokens);
  }
}

/** The first `count` stories of the corpus `seed`. */
export function* generateStories({ count, seed }: { count: number; seed: number }): Generator<string, void, undefined> {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `count must be a whole number >= 0, got ${count}`);
  }
  for (let index = 0; index < count; index++) yield generateStory(seed, index);
}
