// Cuts long documents for the tokenizer, so that memory stays flat whatever their length.

const pieceCharacters = 2 ** 16;

/** Cuts a text so that the tokens of the pieces are the tokens of the whole. */
export function* cutIntoPieces(text: string, limit = pieceCharacters): Generator<string> {
  let start = 0;
  while (text.length - start > limit) {
    const end = cutBefore(text, start, start + limit);
    yield text.slice(start, end);
    start = end;
  }
  yield text.slice(start);
}

/**
 * The last place in (start, end] before a single space between two words: tokens of the GPT-2 and BERT families, and of ours, never
 * reach across it. Text without one for that long is cut anywhere, but not inside a character.
 */
function cutBefore(text: string, start: number, end: number): number {
  for (let at = end; at > start; at--) {
    if (text[at] === ' ' && /\S/.test(text[at - 1]!) && /\S/.test(text[at + 1] ?? ' ')) return at;
  }
  const splitsPair = /[\uD800-\uDBFF]/.test(text[end - 1]!) && /[\uDC00-\uDFFF]/.test(text[end]!);
  return splitsPair && end - 1 > start ? end - 1 : end;
}
