// Judges a text against the story grammar, exactly: which of its sentences the grammar derives, and whether the whole could
// have been generated. It reads nothing but the text: whoever wrote it, a model or generate.ts, is judged alike.

import { STORY_MAX_TOKENS, STORY_SENTENCES } from './generate.js';
import { advance, EMPTY_NARRATIVE, TURNS, type Narrative } from './narrative.js';
import { recognise, storyTokens, type Derivation } from './sentence.js';

/** What is wrong. `sentence` counts from 1; 0 means the story as a whole. */
export interface StoryError {
  readonly sentence: number;
  readonly message: string;
}

/** The judgement of one text. */
export interface StoryCheck {
  /** Sentences in the text; words after the last full stop count as one. */
  readonly sentences: number;
  /** Those that the grammar derives, each taken alone. */
  readonly validSentences: number;
  /** True when every sentence is valid and the story as a whole could have been generated. */
  readonly coherent: boolean;
  readonly errors: readonly StoryError[];
}

function splitSentences(tokens: readonly string[]): string[][] {
  const sentences: string[][] = [];
  let open = false;
  for (const token of tokens) {
    if (open) sentences.at(-1)!.push(token);
    else sentences.push([token]);
    open = token !== '.';
  }
  return sentences;
}

function wholeStoryError(tokens: number, sentences: number): string | undefined {
  const { min, max } = STORY_SENTENCES;
  if (sentences < min || sentences > max) return `a story must have ${min} to ${max} sentences, got ${sentences}`;
  if (tokens > STORY_MAX_TOKENS) return `a story must have at most ${STORY_MAX_TOKENS} words and punctuation marks, got ${tokens}`;
  return undefined;
}

/** The first sentence that cannot follow the ones before it, with the reason; undefined for a coherent story. */
function findIncoherence(sentences: readonly (readonly Derivation[])[]): StoryError | undefined {
  let narratives: Narrative[] = [EMPTY_NARRATIVE];
  for (const [index, derivations] of sentences.entries()) {
    const outcomes = narratives.flatMap((narrative) =>
      derivations.flatMap(({ pattern, phrases }) => TURNS.get(pattern)!.map((turn) => advance(narrative, turn, phrases))));
    const reason = outcomes.find((outcome) => typeof outcome === 'string');
    narratives = outcomes.filter((outcome) => typeof outcome !== 'string');
    if (narratives.length === 0) return { sentence: index + 1, message: reason ?? 'no sentence can stand here' };
  }
  return narratives.some((narrative) => narrative.ended) ? undefined : { sentence: 0, message: 'the story has no ending' };
}

/**
 * Judges one story.
 *
 * @example
 * checkStory('Anna had a ball. She were happy.').validSentences; // 1
 */
export function checkStory(text: string): StoryCheck {
  const tokens = storyTokens(text);
  const sentences = splitSentences(tokens);
  const recognitions = sentences.map(recognise);
  const errors: StoryError[] = recognitions.flatMap(({ derivations, matched }, index) => {
    if (derivations.length > 0) return [];
    const unexpected = sentences[index]![matched];
    const message = unexpected === undefined ? 'the sentence is not complete' : `no sentence goes on with "${unexpected}" as word ${matched + 1}`;
    return [{ sentence: index + 1, message }];
  });
  const validSentences = sentences.length - errors.length;
  const whole = wholeStoryError(tokens.length, sentences.length);
  if (whole !== undefined) errors.push({ sentence: 0, message: whole });
  else if (errors.length === 0) {
    const incoherence = findIncoherence(recognitions.map(({ derivations }) => derivations));
    if (incoherence !== undefined) errors.push(incoherence);
  }
  return { sentences: sentences.length, validSentences, coherent: errors.length === 0, errors };
}
