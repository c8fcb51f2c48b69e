// `ldlm hidden` against hidden states that Hugging Face transformers made (test/golden/make_encoder_fixtures.py), through the whole
// chain: stdin, folder layout, sharded files, native encoder, JSON.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import { ldlm, ldlmOutput, ldlmProgram, parseLines, startNode } from './fixture.js';

const golden = (name: string): string => join(packageRoot(), 'test', 'golden', name);

interface HiddenLine {
  ids: number[];
  hidden: number[][];
}

interface Fixture {
  /** Rows of real token ids, their padding cut off. */
  rows: number[][];
  /** hidden_states[layer] of a row, [tokens, H]. */
  hidden(layer: number, row: number): number[][];
  layers: number;
}

/** The safetensors format: length of the header (8 bytes), header (JSON), data. */
function readSafetensors(file: string): Map<string, { shape: number[]; values: number[] }> {
  const bytes = readFileSync(file);
  const dataStart = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, dataStart)) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const tensors = new Map<string, { shape: number[]; values: number[] }>();
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const data = Uint8Array.from(bytes.subarray(dataStart + begin, dataStart + end)).buffer;
    const values = dtype === 'I64' ? Array.from(new BigInt64Array(data), Number) : Array.from(new Float32Array(data));
    tensors.set(name, { shape, values });
  }
  return tensors;
}

function readFixture(folder: string): Fixture {
  const tensors = readSafetensors(join(folder, 'expected.safetensors'));
  const { shape, values: ids } = tensors.get('ids')!;
  const [, L] = shape as [number, number];
  const lengths = tensors.get('lengths')!.values;
  const hidden = (layer: number, row: number): number[][] => {
    const { shape: hiddenShape, values } = tensors.get(`hidden_${layer}`)!;
    const H = hiddenShape[2]!;
    return Array.from({ length: lengths[row]! }, (_, i) => values.slice((row * L + i) * H, (row * L + i + 1) * H));
  };
  const layers = [...tensors.keys()].filter((name) => name.startsWith('hidden_')).length;
  return { rows: lengths.map((length, row) => ids.slice(row * L, row * L + length)), hidden, layers };
}

function largestDifference(a: number[][], b: number[][]): number {
  expect(a.map((row) => row.length)).toEqual(b.map((row) => row.length));
  return Math.max(...a.flatMap((row, i) => row.map((value, j) => Math.abs(value - b[i]![j]!))));
}

const models = [
  'gpt2-tiny', 'bert-tiny', 'roberta-tiny', 'xlm-roberta-tiny', 'distilbert-tiny', 'mpnet-tiny', 't5-tiny', 't5-gated-tiny', 'llama-tiny', 'mistral-tiny',
  'llama3-tiny', 'llama-linear-tiny', 'qwen2-tiny', 'qwen3-tiny'];

describe.each(models)('ldlm hidden on %s', (name) => {
  const fixture = readFixture(golden(name));
  const input = fixture.rows.map((ids) => JSON.stringify(ids) + '\n').join('');
  const hidden = (layer: number): Promise<string> => ldlmOutput(['hidden', '--encoder', golden(name), '--layer', String(layer), '--ids'], input);

  it('prints the hidden states of every layer as transformers computes them, within 1e-4', async () => {
    expect(fixture.layers).toBeGreaterThan(2);
    for (let layer = 0; layer < fixture.layers; layer++) {
      const lines = parseLines<HiddenLine>(await hidden(layer));
      expect(lines.map(({ ids }) => ids)).toEqual(fixture.rows);
      for (const [row, line] of lines.entries()) {
        expect(Object.keys(line)).toEqual(['ids', 'hidden']);
        expect(largestDifference(line.hidden, fixture.hidden(layer, row)), `layer ${layer}, row ${row}`).toBeLessThan(1e-4);
      }
    }
  });

  it('counts negative layers from the end, and takes ids without brackets', async () => {
    const last = await hidden(-1);
    expect(last).toBe(await hidden(fixture.layers - 1));
    const bare = fixture.rows.map((ids) => ids.join(' ') + '\n').join('');
    expect(await ldlmOutput(['hidden', '--encoder', golden(name), '--layer', '-1', '--ids'], bare)).toBe(last);
  });
});

describe('ldlm hidden', () => {
  it.each([
    [['--layer', '7'], '[1, 2]', 1, /error: .*layer.* must be in .*, got 7/],
    [['--layer', '0'], '[1, 101]', 1, /error: token ids must be whole numbers in 0\.\.100, got 101 in '\[1, 101\]'/],
    [['--layer', '0'], '[1, two]', 1, /error: token ids must be whole numbers in 0\.\.100, got NaN/],
    [['--layer', '0'], JSON.stringify(Array(25).fill(1)), 1, /error: ids must hold 1 to 24 tokens, got 25/],
    [['--layer', '0'], '', 1, /error: standard input must hold text, one a line, got nothing/],
    [['--layer', 'last'], '[1]', 2, /It must be a whole number, got last/],
  ])('answers %j with %j on stdin by exit code and message', async (flags, text, code, message) => {
    const ended = await ldlm(['hidden', '--encoder', golden('gpt2-tiny'), ...flags, '--ids'], text);
    expect(ended.stderr).toMatch(message);
    expect(ended).toMatchObject({ code, stdout: '' });
  });
});

describe('--threads', () => {
  /** The most threads that `ldlm hidden` was seen to have. */
  async function mostThreads(threads: number): Promise<number> {
    const flags = ['--encoder', golden('gpt2-tiny'), '--layer', '-1', '--ids', '--device', 'cpu', '--threads', String(threads)];
    const { child, ended } = startNode([ldlmProgram, 'hidden', ...flags], '[1, 2, 3, 4, 5, 6, 7, 8]\n'.repeat(1000));
    let most = 0;
    const timer = setInterval(() => {
      if (existsSync(`/proc/${child.pid}/task`)) most = Math.max(most, readdirSync(`/proc/${child.pid}/task`).length);
    }, 2);
    const { code, stderr } = await ended;
    clearInterval(timer);
    expect(code, stderr).toBe(0);
    return most;
  }

  it('is the number of threads that compute', async () => {
    const one = await mostThreads(1);
    const two = await mostThreads(2);
    expect(two).toBeGreaterThan(one);
    // Besides OpenMP's threads libtorch has a second pool of as many, which idles.
    expect(await mostThreads(4)).toBe(one + 3 * (two - one));
  });
});
