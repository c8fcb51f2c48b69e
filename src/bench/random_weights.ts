// Safetensors files of random weights, for measuring time: the numbers of a network do not change how long it takes.

import { open } from 'node:fs/promises';

/** Numbers that are made once and written over and over. */
const NOISE = 1 << 20;
const DEVIATION = 0.02;

export type Shapes = Readonly<Record<string, readonly number[]>>;

function floats(length: number, value: (i: number) => number): Buffer {
  return Buffer.from(Float32Array.from({ length }, (_, i) => value(i)).buffer);
}

/** Names of what multiplies a normalised input. */
function isGain(name: string): boolean {
  return /gain$|ln_\w+\.weight$|deviation$/.test(name);
}

/** fp32 tensors of these names and shapes: gains are 1, everything else is small noise, the same in every file. */
export async function writeRandomWeights(path: string, shapes: Shapes): Promise<void> {
  let state = 1;
  const noise = floats(NOISE, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes
    return DEVIATION * Math.sqrt(12) * (state / 2 ** 32 - 0.5);
  });
  const ones = floats(NOISE, () => 1);
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const begin = end;
    end += 4 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const padding = Buffer.alloc((8 - (text.length % 8)) % 8, ' ');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length + padding.length));
  const file = await open(path, 'w');
  try {
    await file.writev([length, text, padding]);
    for (const [name, shape] of Object.entries(shapes)) {
      const source = isGain(name) ? ones : noise;
      const bytes = 4 * shape.reduce((a, b) => a * b, 1);
      for (let done = 0; done < bytes; done += source.length) await file.write(source, 0, Math.min(source.length, bytes - done));
    }
  } finally {
    await file.close();
  }
}

/** The tensors of a GPT-2 in the Hugging Face layout. */
export function gpt2Shapes({ layers, hiddenWidth: C, feedForwardWidth, vocabulary, positions }: Gpt2Sizes): Shapes {
  const shapes: Record<string, readonly number[]> = { 'wte.weight': [vocabulary, C], 'wpe.weight': [positions, C] };
  const norm = (name: string): void => {
    shapes[`${name}.weight`] = [C];
    shapes[`${name}.bias`] = [C];
  };
  const matrix = (name: string, from: number, to: number): void => {
    shapes[`${name}.weight`] = [from, to];
    shapes[`${name}.bias`] = [to];
  };
  for (let i = 0; i < layers; i++) {
    norm(`h.${i}.ln_1`);
    matrix(`h.${i}.attn.c_attn`, C, 3 * C);
    matrix(`h.${i}.attn.c_proj`, C, C);
    norm(`h.${i}.ln_2`);
    matrix(`h.${i}.mlp.c_fc`, C, feedForwardWidth);
    matrix(`h.${i}.mlp.c_proj`, feedForwardWidth, C);
  }
  norm('ln_f');
  return shapes;
}

interface Gpt2Sizes {
  layers: number;
  hiddenWidth: number;
  feedForwardWidth: number;
  vocabulary: number;
  positions: number;
}
