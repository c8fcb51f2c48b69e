// Sampling, reconstruction and export of a small trained run, from the command line and from the API.

import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadNative } from '../../src/api/native.js';
import { toSamples } from '../../src/api/sample_rows.js';
import { LDLM, type Sample, samplers } from '../../src/index.js';
import { ldlm, ldlmOutput, ldlmProgram, LENGTH, makeTrainedWorld, parseLines, SETUP_MS, startNode, type TrainedWorld, until } from './fixture.js';

let world: TrainedWorld;
let model: LDLM;
const sample = (...flags: string[]): Promise<string> => ldlmOutput(['sample', '--model', world.run, '--format', 'jsonl', ...flags]);

beforeAll(async () => {
  world = await makeTrainedWorld(3);
  // Hardly trained networks answer to every detail of the noise, so that a difference shows; a little more training on so few stories
  // would make all texts alike.
  model = await LDLM.load(world.run);
}, SETUP_MS);
afterAll(async () => {
  await model.dispose();
  await world[Symbol.asyncDispose]();
});

describe('ldlm sample', () => {
  it('gives equal bytes for equal seeds whatever --batch is', async () => {
    const flags = ['--count', '8', '--steps', '6', '--seed', '7'];
    const whole = await sample(...flags, '--batch', '8');
    for (const batch of ['1', '3']) expect(await sample(...flags, '--batch', batch)).toBe(whole);
    const texts = parseLines<Sample>(whole).map(({ text }) => text);
    expect(new Set(texts).size).toBeGreaterThan(4);
    const others = parseLines<Sample>(await sample(...flags.slice(0, -1), '8')).map(({ text }) => text);
    expect(others).not.toEqual(texts);
  });

  it('prints the documented keys, one sample a line, and statistics on stderr', async () => {
    const { stdout, stderr } = await ldlm(['sample', '--model', world.run, '--count', '3', '--steps', '4', '--seed', '5', '--format', 'jsonl']);
    const lines = parseLines<Sample>(stdout);
    expect(lines.map(({ index, seed }) => [index, seed])).toEqual([[0, 5], [1, 5], [2, 5]]);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(['index', 'seed', 'text', 'ids']);
      expect(line.ids.length).toBeLessThanOrEqual(LENGTH);
      expect(await world.tokenizer.decode(line.ids)).toBe(line.text);
    }
    expect(stderr).toMatch(/3 texts, 4 evaluations each \(ddpm\), .* tokens\/s, seed 5/);
  });

  it('stopped by Ctrl-C, writes the texts that are done', async () => {
    const out = world.path('some.jsonl');
    const { child, ended } = startNode([ldlmProgram, 'sample', '--model', world.run, '--count', '1000000', '--batch', '2', '--steps', '2', '--format', 'jsonl', '--out', out]);
    let stderr = '';
    child.stderr!.on('data', (text: Buffer) => (stderr += text));
    await until(async () => /[1-9]\d*\/1000000 texts/.test(stderr), 'some texts are done');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, signal: null, stderr: expect.stringMatching(/(\d+) of 1000000 texts were done: .*some\.jsonl\.partial/) });
    const lines = parseLines<Sample>(await readFile(`${out}.partial`, 'utf8'));
    expect(lines.length).toBeGreaterThanOrEqual(2);
    expect(lines).toEqual((await model.sample({ count: lines.length, steps: 2 })).samples);
  });

  it('refuses a file in a folder that is not there before it samples', async () => {
    const { code, stderr } = await ldlm(['sample', '--model', world.run, '--out', world.path('nowhere', 'x.txt')]);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: .*x\.txt must be in a folder that exists, got none named .*nowhere\. Make it first/) });
  });

  it('puts a line end between the documents of a row of wrapped data', async () => {
    const [end, word] = [world.tokenizer.endId!, (await world.tokenizer.encode(world.stories[0]!))[0]!];
    const ids = Int32Array.of(word, end, word, word, end, end, word, word);
    const options = { length: 8, endId: end, tokenizer: world.tokenizer, seed: 0, first: 0 };
    const [one, two] = await world.tokenizer.decodeBatch([[word], [word, word]]);
    expect(await toSamples(ids, { ...options, packing: 'wrap' })).toMatchObject([{ text: `${one}\n${two}\n${two}`, ids: [...ids] }]);
    expect(await toSamples(ids, { ...options, packing: 'pad' })).toMatchObject([{ text: one, ids: [word] }]);
  });

  it.each(samplers)('runs %s, whose texts depend on the seed only', async (sampler) => {
    const options = { count: 2, steps: 5, sampler, seed: 3 };
    const { samples, stats } = await model.sample(options);
    expect(stats).toMatchObject({ count: 2, evaluations: 5 });
    expect(parseLines(await sample('--count', '2', '--steps', '5', '--sampler', sampler, '--seed', '3'))).toEqual(samples);
    expect((await model.sample({ ...options, seed: 4 })).samples.map(({ ids }) => ids)).not.toEqual(samples.map(({ ids }) => ids));
  });

  it('samples a model with stagger by ddpm and ddim, whatever --batch is, and by no other sampler', async () => {
    const run = world.path('staggered');
    await ldlmOutput(world.train(run, '--set', 'model.stagger=2', '--set', 'train.steps=16')); // the warp is learned from step 12 on
    const flags = ['sample', '--model', run, '--count', '8', '--steps', '6', '--seed', '7', '--sampler'];
    for (const sampler of ['ddpm', 'ddim']) {
      const whole = await ldlmOutput([...flags, sampler]);
      for (const batch of ['1', '3']) expect(await ldlmOutput([...flags, sampler, '--batch', batch])).toBe(whole);
    }
    const { code, stderr } = await ldlm([...flags, 'heun']);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('sampler must be ddpm or ddim for the model, whose model.stagger is 2, got heun') });
  });

  it.each([
    [0, 'learned', 'uniform'],
    [2, 'uniform', 'learned'],
  ])('samples a model with stagger %i on the %s grid unless --grid says %s, and eval records which', async (stagger, expected, other) => {
    const run = world.path(`grid-${stagger}`);
    await ldlmOutput(world.train(run, '--set', `model.stagger=${stagger}`, '--set', 'train.steps=16')); // the warp is learned from step 12 on
    const flags = ['--model', run, '--count', '8', '--steps', '6', '--seed', '7'];
    const whole = await ldlmOutput(['sample', ...flags]);
    expect(await ldlmOutput(['sample', ...flags, '--grid', expected])).toBe(whole);
    expect(await ldlmOutput(['sample', ...flags, '--grid', other])).not.toBe(whole);
    const { results } = JSON.parse(await ldlmOutput(['eval', ...flags, '--protocol', 'diversity/v1', '--out', world.path(`eval-grid-${stagger}`), '--json'])) as { results: { grid: string }[] };
    expect(results.map(({ grid }) => grid)).toEqual([expected]);
  });

  it('samples in bf16 where the CPU multiplies it, whatever --batch is; else it refuses', async () => {
    const flags = ['sample', '--model', world.run, '--device', 'cpu', '--dtype', 'bfloat16', '--count', '8', '--steps', '6', '--seed', '7'];
    const whole = await ldlm(flags);
    if (loadNative().cpuBfloat16) {
      expect(whole.code).toBe(0);
      expect(whole.stdout).not.toBe(await ldlmOutput(flags.filter((flag) => flag !== '--dtype' && flag !== 'bfloat16')));
      for (const batch of ['1', '3']) expect(await ldlmOutput([...flags, '--batch', batch])).toBe(whole.stdout);
    } else {
      expect(whole).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('error: dtype must be float32 on a cpu without AVX512-BF16') });
    }
  });

  it('refuses another dtype', async () => {
    const half = await ldlm(['sample', '--model', world.run, '--dtype', 'float16']);
    expect(half).toMatchObject({ code: 2, stderr: expect.stringContaining('auto, float32, bfloat16') });
  });

  it('writes --out, and text one a line', async () => {
    const flags = ['sample', '--model', world.run, '--count', '3', '--steps', '4'];
    expect(await ldlmOutput([...flags, '--out', world.path('samples.txt')])).toBe('');
    const written = await readFile(world.path('samples.txt'), 'utf8');
    expect(written).toBe(await ldlmOutput(flags));
    expect(written.match(/\n/g)).toHaveLength(3);
  });

  it('takes the averaged weights unless --raw asks for those of the last step', async () => {
    const flags = ['--count', '4', '--steps', '6'];
    expect(await sample(...flags, '--raw')).not.toBe(await sample(...flags));
  });

  it.each([
    [['--model', 'RUN', '--eta', '2'], 2, /error: eta must be 0 to 1, got 2/],
    [['--model', 'RUN', '--sampler', 'heun', '--eta', '1'], 2, /error: eta must be left out for heun, which has none, got 1/],
    [['--model', 'no-such-run'], 1, /error: a model must be a run folder with a finished checkpoint .* got 'no-such-run'/],
    [['--model', 'RUN', '--count', '0'], 2, /It must be a whole number >= 1, got 0/],
    [['--model', 'RUN', '--sampler', 'euler'], 2, /Allowed choices are ddim, ddpm, dpmpp, heun, sde/],
    [[], 2, /required option '--model <run>' not specified/],
  ])('answers %j with exit code %i and what to do', async (flags, code, message) => {
    const ended = await ldlm(['sample', ...flags.map((flag) => (flag === 'RUN' ? world.run : flag))]);
    expect(ended.stderr).toMatch(message);
    expect(ended).toMatchObject({ code, stdout: '' });
  });
});

describe('LDLM', () => {
  it.each([
    [{ count: 0 }, 'count must be a whole number >= 1, got 0'],
    [{ steps: 1.5 }, 'steps must be a whole number >= 1, got 1.5'],
    [{ seed: -1 }, 'seed must be a whole number >= 0, got -1'],
    [{ sampler: 'euler' as 'ddim' }, 'sampler must be one of ddim, ddpm, dpmpp, heun, sde, got euler'],
    [{ sampler: 'sde' as const, eta: 0 }, 'eta must be left out for sde, which has none, got 0'],
  ])('refuses %j', async (options, message) => {
    await expect(model.sample(options)).rejects.toMatchObject({ code: 'ERR_LDLM_INVALID_ARGUMENT', message });
  });

  it('aborts between two evaluations, and is usable afterwards', async () => {
    const stop = new AbortController();
    const running = model.sample({ count: 4, steps: 1_000_000, signal: stop.signal });
    setTimeout(() => stop.abort(), 30);
    await expect(running).rejects.toMatchObject({ code: 'ERR_LDLM_ABORTED' });
    await expect(model.sample({ signal: stop.signal })).rejects.toMatchObject({ code: 'ERR_LDLM_ABORTED' });
    expect((await model.sample({ steps: 2 })).texts).toHaveLength(1);
  });

  it('streams previews every few evaluations, and ends with the text that sample gives', async () => {
    const options = { count: 2, steps: 10, seed: 2 };
    const previews = [];
    for await (const preview of model.sampleStream({ ...options, previewEvery: 3 })) previews.push(preview);
    expect(previews.map(({ step, done }) => [step, done])).toEqual([[3, false], [6, false], [9, false], [10, true]]);
    expect(previews.every(({ texts }) => texts.length === 2)).toBe(true);
    expect(previews.at(-1)!.texts).toEqual((await model.sample(options)).texts);
  });

  it('lets go of a stream that its reader leaves', async () => {
    for await (const { step } of model.sampleStream({ count: 4, steps: 1_000_000, previewEvery: 1 })) if (step >= 2) break;
    // Waits for the job before it: hours, and so the limit of a test, if that went on.
    expect((await model.sample({ steps: 2 })).texts).toHaveLength(1);
  });

  it('refuses work after dispose, which may be repeated', async () => {
    const other = await LDLM.load(world.run);
    await other.dispose();
    await other.dispose();
    await expect(other.sample({})).rejects.toMatchObject({ code: 'ERR_LDLM_STATE', message: expect.stringContaining('disposed') });
  });
});

describe('ldlm reconstruct', () => {
  it('takes texts from stdin and gives text, reconstruction and accuracy', async () => {
    const texts = world.stories.slice(0, 3);
    const lines = parseLines<{ text: string; reconstructed: string; accuracy: number }>(
      await ldlmOutput(['reconstruct', '--model', world.run, '--format', 'jsonl'], texts.join('\n') + '\n'),
    );
    expect(lines.map(({ text }) => text)).toEqual(texts);
    for (const { text, reconstructed, accuracy } of lines) {
      const [ids, back] = await world.tokenizer.encodeBatch([text, reconstructed]);
      const agreeing = ids!.filter((id, i) => back![i] === id).length;
      // The end token counts too, but is not part of the text.
      expect(Math.abs(accuracy - agreeing / (ids!.length + 1))).toBeLessThanOrEqual(1 / ids!.length);
    }
    expect(await model.reconstruct(texts)).toEqual(lines);
  });

  it.each([[{ noise: NaN }, 'noise must be a number >= 0, got NaN'], [{ noise: -1 }, 'noise must be a number >= 0, got -1'], [{ seed: 1.5 }, 'seed must be a whole number >= 0, got 1.5']])('refuses %o', async (options, message) => {
    await expect(model.reconstruct(world.stories.slice(0, 1), options)).rejects.toMatchObject({ code: 'ERR_LDLM_INVALID_ARGUMENT', message });
  });

  it('refuses an empty standard input', async () => {
    const { code, stderr } = await ldlm(['reconstruct', '--model', world.run], '\n\n');
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('standard input must hold text') });
  });
});

describe('ldlm export', () => {
  it('writes a folder that samples the same texts and refuses to reconstruct', async () => {
    const out = world.path('export');
    expect(await ldlmOutput(['export', '--model', world.run, '--out', out])).toBe(`${out}\n`);
    expect((await readdir(out)).sort()).toEqual(['config.json', 'model.safetensors', 'state.json', 'tokenizer.json', 'tokenizer_config.json']);
    const flags = ['--count', '4', '--steps', '5', '--format', 'jsonl'];
    expect(await ldlmOutput(['sample', '--model', out, ...flags])).toBe(await sample(...flags));
    const { code, stderr } = await ldlm(['reconstruct', '--model', out], 'Anna went to the park.');
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('reconstruction must have the latent encoder, got an export for sampling') });
    const again = await ldlm(['export', '--model', out, '--out', world.path('export-of-export')]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is an export already') });
  });

  it('never overwrites a folder with files in it', async () => {
    const { code, stderr } = await ldlm(['export', '--model', world.run, '--out', world.run]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: .*run must be a new folder/);
  });
});
