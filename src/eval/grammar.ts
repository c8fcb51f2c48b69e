// Protocol `grammar/v1`: how well texts keep the story grammar, judged exactly by the validator of the story corpus.
//   sentence validity = valid sentences / all sentences, pooled over the texts
//   story coherence   = coherent texts / all texts
// Texts without any sentence count as incoherent; if no text has one, the validity is 0.

import { LdlmError } from '../api/errors.js';
import { checkStory } from '../data/stories/check.js';

/** The result of `grammar/v1`. Shares are in [0, 1]. */
export interface GrammarScore {
  readonly protocol: 'grammar/v1';
  readonly samples: number;
  readonly sentences: number;
  readonly sentenceValidity: number;
  readonly storyCoherence: number;
}

/** Judges texts against the story grammar. Throws `ERR_LDLM_INVALID_ARGUMENT` if there are none. */
export function scoreGrammar(texts: readonly string[]): GrammarScore {
  if (texts.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'texts must hold at least one sample, got none');
  let sentences = 0;
  let valid = 0;
  let coherent = 0;
  for (const text of texts) {
    const check = checkStory(text);
    sentences += check.sentences;
    valid += check.validSentences;
    if (check.coherent) coherent += 1;
  }
  return {
    protocol: 'grammar/v1',
    samples: texts.length,
    sentences,
    sentenceValidity: sentences === 0 ? 0 : valid / sentences,
    storyCoherence: coherent / texts.length,
  };
}
