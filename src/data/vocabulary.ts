// Which id a tokenizer.json gives to each token. Two files with other bytes may give the same ids.

import type { TokenizerDefinition } from './tokenizer_files.js';

/** Token to id, the added tokens included. */
export function tokenIds({ model, added_tokens }: Pick<TokenizerDefinition, 'model' | 'added_tokens'>): Map<string, number> {
  const entries = Array.isArray(model.vocab)
    ? model.vocab.map(([token], id): [string, number] => [token, id])
    : Object.entries(model.vocab);
  const ids = new Map(entries);
  for (const { content, id } of added_tokens) ids.set(content, id);
  return ids;
}

/** A token that has another id, or none, in the second tokenizer.json; null if every id of the first means the same there. */
export function differentToken(json: Buffer, other: Buffer): { token: string; id: number; otherId: number | null } | null {
  if (json.equals(other)) return null;
  const otherIds = tokenIds(parse(other));
  for (const [token, id] of tokenIds(parse(json))) {
    const otherId = otherIds.get(token) ?? null;
    if (otherId !== id) return { token, id, otherId };
  }
  return null;
}

function parse(json: Buffer): TokenizerDefinition {
  return JSON.parse(json.toString('utf8')) as TokenizerDefinition;
}
