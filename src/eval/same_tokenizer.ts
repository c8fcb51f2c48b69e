// Whether token ids of a model mean the same to a scorer. Two tokenizer.json with other bytes may have the same tokens.

import { LdlmError } from '../api/errors.js';
import type { Scorer } from '../api/scorer.js';
import { differentToken } from '../data/vocabulary.js';
import type { EvaluatedModel } from './evaluated_model.js';

/** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT if an id stands for another token, or a sample may be longer than the scorer takes */
export function checkSameTokenizer(model: EvaluatedModel, scorer: Scorer): void {
  if (differentToken(model.tokenizer.json, scorer.tokenizer.json)) {
    throw new LdlmError(
      'ERR_LDLM_INVALID_ARGUMENT',
      `genppl/sedd-v1 must have a scorer with the model's tokenizer, since it scores the model's own ids, got another one in ${scorer.source}. Use genppl/mdlm-v1, which goes through text`,
    );
  }
  const { maxLength } = model.config.model;
  if (maxLength <= scorer.shape.positions) return;
  throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `genppl/sedd-v1 must have a scorer of at least the model's ${maxLength} positions, got ${scorer.shape.positions}`);
}
