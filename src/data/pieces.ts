// Documents in batches of bounded size for the tokenizer: a long document goes through in pieces, so memory stays flat.

import type { Document } from './readers.js';

/** A part of a document. `bytes` is its share of what the document stands for in the file. */
export interface Piece {
  text: string;
  ends: boolean;
  bytes: number;
}

const pieceCharacters = 2 ** 16;
const batchCharacters = 2 ** 19;

/** The pieces of all documents, in order, in batches of about half a million characters. */
export async function* batchPieces(documents: AsyncIterable<Document>): AsyncGenerator<Piece[]> {
  let batch: Piece[] = [];
  let characters = 0;
  for await (const document of documents) {
    for (const piece of cutIntoPieces(document)) {
      batch.push(piece);
      characters += piece.text.length;
      if (characters < batchCharacters) continue;
      yield batch;
      batch = [];
      characters = 0;
    }
  }
  if (batch.length > 0) yield batch;
}

/** Cuts a document so that the tokens of the pieces are the tokens of the whole. */
export function* cutIntoPieces({ text, bytes }: Document, limit = pieceCharacters): Generator<Piece> {
  const bytesPerCharacter = bytes / Math.max(1, text.length);
  let start = 0;
  while (text.length - start > limit) {
    const end = cutBefore(text, start, start + limit);
    yield { text: text.slice(start, end), ends: false, bytes: (end - start) * bytesPerCharacter };
    start = end;
  }
  yield { text: text.slice(start), ends: true, bytes: (text.length - start) * bytesPerCharacter };
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
