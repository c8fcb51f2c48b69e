// Fields that configurations got after the first checkpoints were written, each with the value that means "as it was then". Only the
// configuration of a checkpoint is completed: what a user writes today must be complete.

const laterFields: [section: string, field: string, asItWas: unknown][] = [
  ['model', 'freeScale', false],
  ['recipe', 'stoppedTarget', false],
];

/** The same configuration with the fields that it is too old to have. What is not an object is left to the parser. */
export function withLaterFields(config: unknown): unknown {
  const complete = structuredClone(config) as Record<string, Record<string, unknown> | undefined> | null;
  for (const [section, field, asItWas] of laterFields) {
    const owner = complete?.[section];
    if (typeof owner === 'object' && owner !== null && !Object.hasOwn(owner, field)) owner[field] = asItWas;
  }
  return complete;
}
