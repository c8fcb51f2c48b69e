// What is wrong with samples as such. Most protocols still give a number for them, and the number can look fine: so it is said beside it.

/** Sentences about samples that are empty, all equal or of one token; none for healthy samples. */
export function notesOn(samples: readonly ArrayLike<number>[]): string[] {
  const notes: string[] = [];
  const empty = samples.filter(({ length }) => length === 0).length;
  if (empty > 0) notes.push(`${empty} of ${samples.length} samples are empty`);
  const keys = new Set(samples.map((ids) => Array.from(ids).join(' ')));
  if (samples.length > 1 && keys.size === 1) notes.push(`all ${samples.length} samples are equal`);
  if (samples.every((ids) => new Set(Array.from(ids)).size <= 1)) notes.push('no sample holds two different tokens: the entropy is 0');
  return notes;
}

/** A sentence if references are so much longer or shorter than samples that a comparison is one of lengths; else none. */
export function notesOnLengths(samples: readonly ArrayLike<number>[], references: readonly ArrayLike<number>[]): string[] {
  const mean = (rows: readonly ArrayLike<number>[]): number => rows.reduce((sum, { length }) => sum + length, 0) / rows.length;
  const [ours, theirs] = [mean(samples), mean(references)];
  if (Math.abs(ours - theirs) <= 0.1 * theirs) return [];
  return [`samples and references differ in length, ${ours.toFixed(1)} against ${theirs.toFixed(1)} tokens in the mean: the figure compares lengths too`];
}
