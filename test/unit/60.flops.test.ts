// The count of operations: by hand for a network of ones and twos, and against PyTorch's counter (test/golden/make_flops_fixture.py).

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { NativeModelConfig } from '../../src/api/native_types.js';
import { ditConditionWork, ditTrunkWork, frozenLmWork, latentDecoderWork, latentEncoderWork, samplingFlops, tokenDecoderWork, tokenHeadWork, trainingFlops, type Work } from '../../src/bench/flops.js';
import { resolveEncoder } from '../../src/config/encoders.js';

const golden = JSON.parse(readFileSync(new URL('../golden/flops.json', import.meta.url), 'utf8')) as {
  batch: number;
  networks: { name: string; model: NativeModelConfig; work: Record<'latentEncoder' | 'latentDecoder' | 'tokenDecoder' | 'dit', Work> }[];
};

/** B = 1, L = N = 2, D = 4, H = 4, C = 4, V = 3, one block each. */
const small: NativeModelConfig = {
  maxLength: 2, latents: 2, latentWidth: 4, hiddenWidth: 4, vocabulary: 3,
  latentEncoder: { layers: 1, heads: 1 }, latentDecoder: { layers: 1, heads: 1 }, tokenDecoder: { layers: 1, heads: 1 },
  dit: { layers: 1, width: 4, heads: 1 }, freeScale: false, stagger: 0,
};

describe('operations of a module', () => {
  it.each(golden.networks)('are what PyTorch counts, forward and backward: $name', ({ model, work }) => {
    const B = golden.batch;
    expect(latentEncoderWork(model, B)).toEqual(work.latentEncoder);
    expect(latentDecoderWork(model, B)).toEqual(work.latentDecoder);
    const [decoder, head] = [tokenDecoderWork(model, B), tokenHeadWork(model, B)];
    expect({ forward: decoder.forward + head.forward, backward: decoder.backward + head.backward }).toEqual(work.tokenDecoder);
    const [trunk, condition] = [ditTrunkWork(model, B), ditConditionWork(model, B)];
    expect({ forward: trunk.forward + condition.forward, backward: trunk.backward + condition.backward }).toEqual(work.dit);
  });

  it('are those of a count by hand', () => {
    // qkv 2*2*4*12, scores and mix 2*(2*2*2*4), output 2*2*4*4, up and down 2*(2*2*4*16); in 2*2*8*4, out 2*2*4*4
    expect(ditTrunkWork(small, 1).forward).toBe(192 + 64 + 64 + 512 + 128 + 64);
    // 256 features to 4, 4 to 4, modulation 4 to 24, output 4 to 8, gates 4 to 8
    expect(ditConditionWork(small, 1).forward).toBe(2048 + 32 + 192 + 64 + 64);
    // qkv 192, attention 64, output 64, gate and up 2*2*4*32, down 2*2*16*4
    expect(tokenDecoderWork(small, 1).forward).toBe(192 + 64 + 64 + 512 + 256);
    expect(tokenHeadWork(small, 1)).toEqual({ forward: 2 * 2 * 4 * 3, backward: 2 * (2 * 2 * 4 * 3) });
    // a GPT-2 layer of feed-forward width 8: qkv 192, attention 64, output 64, up and down 2*(2*2*4*8)
    expect(frozenLmWork({ hiddenWidth: 4, feedForwardWidth: 8 }, 3, 1, 2)).toEqual({ forward: 3 * (192 + 64 + 64 + 256), backward: 0 });
  });
});

describe('operations of a step and of a sample', () => {
  it('add up over the modules', async () => {
    const encoder = await resolveEncoder('stories-lm');
    const { total, ...modules } = trainingFlops({ model: small, encoder, encoderLayer: 4, batch: 2, selfConditioning: 0.5 });
    expect(total).toBe(Object.values(modules).reduce((a, b) => a + b, 0));
    expect(modules.self_condition).toBe(0.5 * (ditTrunkWork(small, 2).forward + ditConditionWork(small, 2).forward));
    expect(modules.dit).toBe(3 * ditTrunkWork(small, 2).forward);
  });

  it('share the modulations of a step between the samples', () => {
    const flops = samplingFlops(small, 5, 7);
    expect(flops.modulation).toBe(7 * ditConditionWork(small, 1).forward);
    expect(flops.dit).toBe(7 * 5 * ditTrunkWork(small, 1).forward);
  });

  it('of the DiT of 12 x 768 at 1024 positions are the 212.6 GFLOP that the field counts', () => {
    const wide = { ...small, maxLength: 1024, latents: 1024, latentWidth: 768, dit: { layers: 12, width: 768, heads: 12 } };
    const blocksOnly = ditTrunkWork(wide, 1).forward - 2 * 1024 * 768 * (2 * 768 + 768);
    expect(blocksOnly / 1e9).toBeCloseTo(212.6, 1);
  });
});
