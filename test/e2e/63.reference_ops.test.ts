// LDLM_REFERENCE_OPS=1 turns all kernels off: training must come out the same, within rounding.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import { start } from './fixture.js';

type Step = Record<'diffusion' | 'hidden' | 'token' | 'gradNorm', number>;

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'ldlm-reference-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(reference: '0' | '1'): Promise<Step[]> {
  const script = join(packageRoot(), 'test', 'e2e', 'reference_child.mjs');
  const { code, stdout, stderr } = await start('env', [`LDLM_REFERENCE_OPS=${reference}`, process.execPath, script, folder]).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Step[];
}

describe('LDLM_REFERENCE_OPS', () => {
  it('gives the losses and gradients of the kernels within rounding, and other bits', async () => {
    const [kernels, references] = [await train('0'), await train('1')];
    expect(references).not.toEqual(kernels); // else the switch does nothing
    // Rounding of fp32 (6e-8) in sums of thousands of terms, through five steps of AdamW, which divides by small gradients.
    for (const [i, step] of kernels.entries()) {
      for (const name of ['diffusion', 'hidden', 'token', 'gradNorm'] as const) {
        expect(Math.abs(references[i]![name] / step[name] - 1), `step ${i}, ${name}`).toBeLessThan(1e-3);
      }
    }
  });
});
