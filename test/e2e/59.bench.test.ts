// `ldlm bench` as a program, at the smallest sizes: what it prints is consistent with itself; how large the numbers are is not asked.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadNative } from '../../src/api/native.js';
import { ldlm, start } from './fixture.js';
import { packageRoot } from '../../src/api/package_root.js';

const SMALL = ['--preset', 'tiny', '--length', '16', '--batch', '4', '--repeats', '1'];

interface System {
  ms: { median: number };
  evaluationMs?: { median: number };
  shareOfLimit: { median: number };
  share?: number;
  tokensPerSecond: number;
  peakMB: number;
  overBaseMB: number;
}

interface Result {
  flops: Record<string, number>;
  limits: Record<string, { median: number }>;
  systems: Record<string, System> & { ldlm: System };
  speedUp: Record<string, { median: number }>;
  unavailable: Record<string, string>;
  profile: { entries: { module: string; op: string; backward: boolean; selfMs: number; flops: number }[]; ms: { median: number }; repeats: number } | null;
}

describe('ldlm bench', () => {
  it('train: operations over time over the rate is the share, and the profile finds every module and all operations', async () => {
    const { code, stdout, stderr } = await ldlm(['bench', 'train', ...SMALL, '--json', '--profile']);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const { systems, flops, limits, profile } = JSON.parse(stdout) as Result;
    const { ms, shareOfLimit, tokensPerSecond, peakMB, overBaseMB } = systems.ldlm;
    const rate = Math.max(limits.linear!.median, limits.mm!.median);
    // One round, so that medians of ratios are ratios of medians; rates are printed with one decimal, shares with three.
    expect(Math.abs(shareOfLimit.median - flops.total! / (ms.median * 1e6 * rate))).toBeLessThan(0.002);
    expect(tokensPerSecond).toBeCloseTo((4 * 16 * 1000) / ms.median, -1);
    expect(overBaseMB).toBeLessThan(peakMB);
    const modules = new Set(profile!.entries.filter(({ backward }) => !backward).map(({ module }) => module));
    for (const name of ['frozen_lm', 'latent_encoder', 'latent_decoder', 'token_decoder', 'dit', 'modulation', 'optimizer', 'ema']) expect(modules).toContain(name);
    expect(profile!.entries.some(({ module, backward }) => backward && module === 'dit')).toBe(true);
    // Seen by the profiler, against counted from the configuration. It sees attention's backward pass compute the scores anew, and the
    // self-conditioned rows are drawn: of few rows, not half.
    const seen = profile!.entries.filter(({ module }) => module === 'latent_decoder').reduce((sum, entry) => sum + entry.flops, 0) / profile!.repeats;
    expect(seen / flops.latent_decoder!).toBeGreaterThan(0.999);
    expect(seen / flops.latent_decoder!).toBeLessThan(1.1);
  });

  it('sample: an evaluation takes less than the whole', async () => {
    const { code, stdout, stderr } = await ldlm(['bench', 'sample', ...SMALL, '--count', '2', '--steps', '4', '--json']);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const { systems, profile } = JSON.parse(stdout) as Result;
    expect(systems.ldlm.evaluationMs!.median).toBeLessThan(systems.ldlm.ms.median);
    expect(profile).toBeNull();
  });

  it('ops: prints the rule for every op of native/ops', async () => {
    const { code, stdout } = await ldlm(['bench', 'ops', ...SMALL]);
    expect(code).toBe(0);
    for (const op of ['linear, DiT qkv', 'adaln', 'rms_norm', 'rotary', 'gelu_tanh', 'philox_normal']) expect(stdout).toContain(op);
    expect(stdout).toMatch(/adaln +4 x 16 x 192 +backward/);
  });

  it('says why PyTorch takes no part where Python is not there, and measures the rest', async () => {
    const program = `${packageRoot()}/dist/cli/main.js`;
    const args = [program, 'bench', 'sample', ...SMALL, '--count', '1', '--steps', '2', '--against', 'pytorch', '--json'];
    const { code, stdout } = await start('env', ['LDLM_PYTHON=/no/such/python', process.execPath, ...args]).ended;
    expect(code).toBe(0);
    const { unavailable, systems } = JSON.parse(stdout) as Result;
    expect(unavailable.pytorch).toMatch(/\/no\/such\/python could not be started/);
    expect(systems.ldlm.ms.median).toBeGreaterThan(0);
  });

  it('goes on without a system that is killed in the middle, and says so', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ldlm-bench-'));
    try {
      // Answers like a system until the first round that counts.
      const timings = JSON.stringify({ timesMs: [1, 1], cpuMs: [1, 1], peakRssBytes: 1, baseRssBytes: 1, version: 'dies' });
      const lines = ['#!/bin/sh', 'read open; echo {}', `for warm in 1 2; do read ask; echo '${timings}'; done`, 'read ask; kill -9 $$'];
      await writeFile(join(folder, 'python'), lines.join('\n'), { mode: 0o755 });
      const args = [`${packageRoot()}/dist/cli/main.js`, 'bench', 'sample', ...SMALL, '--count', '1', '--steps', '2', '--against', 'pytorch', '--json'];
      const { code, stdout } = await start('env', [`LDLM_PYTHON=${folder}/python`, process.execPath, ...args]).ended;
      expect(code).toBe(0);
      const { unavailable, systems } = JSON.parse(stdout) as Result;
      expect(unavailable.pytorch).toMatch(/must answer, but it ended \(SIGKILL, .*memory/);
      expect(systems.ldlm.ms.median).toBeGreaterThan(0);
      expect(systems.pytorch).toBeUndefined();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('sample --against: baselines in the same rounds, of a long trajectory a part for the whole', async () => {
    const { code, stdout, stderr } = await ldlm(['bench', 'sample', ...SMALL, '--count', '1', '--steps', '2', '--against', 'mdlm@8/2', 'ar', '--json']);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const { systems, speedUp } = JSON.parse(stdout) as Result;
    expect(systems['mdlm@8/2']!.share).toBeLessThanOrEqual(0.6);
    for (const name of ['mdlm@8/2', 'ar']) expect(speedUp[name]!.median).toBeCloseTo(systems[name]!.ms.median / systems.ldlm!.ms.median, 1);
  });

  it('names the systems that there are for one that is not', async () => {
    const wrong = await ldlm(['bench', 'sample', ...SMALL, '--against', 'ar@8']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/--against must be pytorch, pytorch-ar, or NAME\[@STEPS\]\[\/STRIDE\] with NAME of mdlm.*got 'ar@8'/);
    const training = await ldlm(['bench', 'train', ...SMALL, '--against', 'mdlm']);
    expect(training.stderr).toMatch(/--against must be pytorch, got 'mdlm'/);
  });

  it('samples in bf16 where the CPU multiplies it, else it refuses', async () => {
    const { code, stdout, stderr } = await ldlm(['bench', 'sample', ...SMALL, '--count', '2', '--steps', '2', '--dtype', 'bfloat16', '--json']);
    if (loadNative().cpuBfloat16) expect(JSON.parse(stdout)).toMatchObject({ dtype: 'bfloat16', unavailable: {} });
    else expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('error: dtype must be float32 on a cpu without AVX512-BF16') });
  });

  it('refuses a length that a configuration cannot have', async () => {
    const { code, stderr } = await ldlm(['bench', 'train', '--length', '0']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/whole number in 1\.\.65535, got 0/);
  });
});
