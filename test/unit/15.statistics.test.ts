import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepare } from '../../src/data/prepare.js';
import { dataStatistics, type DataStatistics } from '../../src/data/statistics.js';
import { statisticsPage } from '../../src/data/statistics_page.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { trainWordLevel } from '../../src/data/tokenizer_training.js';

let dir: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ldlm-statistics-'));
  await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(await trainWordLevel(['a b <c>'], { maxVocabulary: 20 })));
  tokenizer = await Tokenizer.load(join(dir, 'tokenizer.json'));
});

async function measure(packing: 'wrap' | 'pad', length: number, lines: string[]): Promise<DataStatistics> {
  await writeFile(join(dir, 'in.txt'), lines.join('\n'));
  const out = join(dir, `${packing}-${length}`);
  await prepare({ inputs: [join(dir, 'in.txt')], tokenizer, packing, length, out, rowsPerShard: 2 });
  return dataStatistics(out);
}

describe('dataStatistics', () => {
  // Lengths with the end token: 2, 3, 2, 4, 2; 13 tokens.
  const lines = ['a', 'a b', 'a', 'b zzz b', 'b'];

  it.each([['pad', 5], ['wrap', 1], ['wrap', 13]] as const)('counts real tokens and whole documents, whatever the rows (%s, %i)', async (packing, length) => {
    const data = await measure(packing, length, lines);
    expect(data).toMatchObject({ documents: 5, tokens: 13, padding: packing === 'pad' ? 12 / 25 : 0 });
    expect(data.lengths).toMatchObject({ mean: 13 / 5, shortest: 2, median: 2, p90: 4, longest: 4 });
    expect(data.lengths.histogram).toEqual([{ from: 2, to: 2, documents: 3 }, { from: 3, to: 3, documents: 1 }, { from: 4, to: 4, documents: 1 }]);
    expect(data.duplicates).toEqual({ count: 1, share: 1 / 5 });
    expect(data.unknown).toEqual({ count: 1, share: 1 / 13 });
    expect(data.vocabulary.used).toBe(4);
    expect(data.top.map(({ text, count }) => [text, count])).toEqual([['<|endoftext|>', 5], ['b', 4], ['a', 3], ['<unk>', 1]]);
    const entropy = -[5, 4, 3, 1].reduce((sum, count) => sum + (count / 13) * Math.log(count / 13), 0);
    expect(data.unigramEntropy.nats).toBeCloseTo(entropy, 12);
    expect(data.unigramEntropy.bits).toBeCloseTo(entropy / Math.log(2), 12);
  });

  it('makes a page of its own: no scripts, no network, and text of tokens escaped', async () => {
    const page = statisticsPage(await measure('pad', 8, ['<c> a', 'b']));
    expect(page).toContain('&lt;');
    expect(page).not.toMatch(/<script|https?:|<c>|NaN|Infinity|undefined/);
    expect(page.match(/<svg /g)).toHaveLength(2);
  });
});
