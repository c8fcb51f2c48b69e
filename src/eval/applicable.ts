// Which protocols mean something for a corpus, and held-out texts of it. The story corpus is known by its grammar; any other corpus is
// judged by what needs none.

import { splitAtEnds } from '../api/sample_rows.js';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openShards, type Shards } from '../data/shards.js';
import { generateStories } from '../data/stories/generate.js';
import { Tokenizer } from '../data/tokenizer.js';
import { scoreGrammar } from './grammar.js';
import { FEWEST_MAUVE_TEXTS } from './mauve.js';
import type { ProtocolName } from './protocols.js';

export interface Corpus {
  /** Whether its texts keep the grammar of the stories. */
  stories: boolean;
  /** Texts that the model was not trained on, at most as many as asked for; none if there are none. */
  heldOut: string[];
  /** Where they come from. */
  heldOutFrom: string;
}

/** Rows that are looked at to know a corpus. */
const LOOKED_AT = 64;
/** Rows cut a sentence at their ends, so not all are whole; of other text none are. */
const VALID_OF_STORIES = 0.5;
/** Not a seed that people give to `ldlm stories`. */
const HELD_OUT_SEED = 987_654_321;

/** What the prepared data in `dir` is, with `count` held-out texts: DIR/validation, or new stories, or none. */
export async function corpusOf(dir: string, count: number): Promise<Corpus> {
  await using data = await openShards(dir);
  const tokenizer = await Tokenizer.load(dir);
  const stories = await areStories(data, tokenizer);
  const validation = await validationTexts(dir, count);
  if (validation !== null) return { stories, heldOut: validation, heldOutFrom: validationOf(dir) };
  if (stories) return { stories, heldOut: [...generateStories({ count, seed: HELD_OUT_SEED })], heldOutFrom: `new stories, seed ${HELD_OUT_SEED}` };
  return { stories, heldOut: [], heldOutFrom: 'none' };
}

/** Whether the prepared data in `dir` is there and holds stories. */
export async function holdsStories(dir: string): Promise<boolean> {
  if (!existsSync(join(dir, 'manifest.json'))) return false;
  await using data = await openShards(dir);
  return areStories(data, await Tokenizer.load(dir));
}

async function areStories(data: Shards, tokenizer: Tokenizer): Promise<boolean> {
  const texts = await firstDocuments(data, tokenizer, LOOKED_AT);
  return texts.length > 0 && scoreGrammar(texts).sentenceValidity >= VALID_OF_STORIES;
}

export interface Given {
  /** Whether the corpus holds stories. */
  stories: boolean;
  /** Whether to compare with the training set; default: where that holds stories. */
  training?: boolean;
  /** How many held-out texts there are. */
  references: number;
  scorer: boolean;
  /** Texts to judge. */
  count: number;
}

/** All that can be measured with what there is. */
export function applicableProtocols({ stories, training = stories, references, scorer, count }: Given): ProtocolName[] {
  return [
    'entropy/model-tokens-nats',
    ...(count >= 2 ? (['diversity/v1'] as const) : []),
    ...(stories ? (['grammar/v1'] as const) : []),
    ...(training ? (['memorisation/v1'] as const) : []),
    ...(references > 0 ? (['reconstruction/v1'] as const) : []),
    ...(scorer ? (['genppl/mdlm-v1'] as const) : []),
    ...(scorer && references >= count && count >= FEWEST_MAUVE_TEXTS ? (['mauve/v1'] as const) : []),
  ];
}

/** The first `count` documents of DIR/validation, or null where there is none. */
export async function validationTexts(dir: string, count: number): Promise<string[] | null> {
  const folder = validationOf(dir);
  if (!existsSync(folder)) return null;
  await using held = await openShards(folder);
  return firstDocuments(held, await Tokenizer.load(dir), count);
}

function validationOf(dir: string): string {
  return join(dir, 'validation');
}

/** The token ids of the first `count` rows, without padding; fewer if there are fewer. */
async function firstRows(data: Shards, count: number): Promise<number[][]> {
  const wanted = Math.min(count, data.rows);
  const { ids, lengths } = await data.read(Uint32Array.from({ length: wanted }, (_, row) => row));
  return Array.from({ length: wanted }, (_, row) => [...ids.subarray(row * data.length, row * data.length + lengths[row]!)]);
}

/** The first `count` documents, or what the rows have of them. */
async function firstDocuments(data: Shards, tokenizer: Tokenizer, count: number): Promise<string[]> {
  const documents = (await firstRows(data, count)).map((row) => documentOf(row, data.manifest.endId)).filter((row) => row.length > 0);
  return tokenizer.decodeBatch(documents);
}

/** The longest document of a row: a wrapped one may hold the ends of several. */
function documentOf(row: readonly number[], endId: number | null): number[] {
  return splitAtEnds(row, endId).reduce((longest, piece) => (piece.length > longest.length ? piece : longest));
}
