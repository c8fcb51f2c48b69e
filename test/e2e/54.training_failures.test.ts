// Trainings that cannot begin or go on: each ends with exit code 1 (2 for wrong usage) and a message that says what to do, and what was
// saved before stays usable.

import { cp, mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadNative } from '../../src/api/native.js';
import { JointTrainer, LDLM, LdlmError, prepare, PretrainedEncoder, Tokenizer, trainWordLevel } from '../../src/index.js';
import { checkpointHashes, latestFolder, ldlm, ldlmOutput, makeTrainedWorld, set, SETUP_MS, type TrainedWorld } from './fixture.js';

let world: TrainedWorld;

beforeAll(async () => {
  world = await makeTrainedWorld();
}, SETUP_MS);
afterAll(() => world[Symbol.asyncDispose]());

describe('a run that cannot go on', () => {
  it('refuses bf16 on a CPU that has no such products, and trains in it on one that has', async () => {
    const { code, stderr } = await ldlm(world.train(world.path('bf16'), ...set('train.dtype=bfloat16', 'train.device=cpu', 'train.steps=2')));
    if (loadNative().cpuBfloat16) expect({ code, stderr }).toMatchObject({ code: 0 });
    else expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('error: train.dtype must be float32 on a cpu without AVX512-BF16') });
  });

  it('stops when the losses are no longer numbers, names where, and keeps the last good checkpoint', async () => {
    const out = await world.copyOfRun('diverged');
    const before = await checkpointHashes(await latestFolder(out));
    const { code, stderr } = await ldlm(world.train(out, ...set('train.lr=1e30', 'train.steps=60')));
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: the (gradient of [\w.]+|(diffusion|hidden|token|total) loss) must be finite, .*at step 4\d; .*train\.lr/);
    expect(await latestFolder(out)).toMatch(/step-40$/);
    expect(await checkpointHashes(await latestFolder(out))).toEqual(before);
    await using model = await LDLM.load(out);
    expect((await model.sample({ count: 1, steps: 2 })).texts).toHaveLength(1);
  });

  it('refuses data of another length', async () => {
    await prepare({ inputs: [world.path('stories.txt')], tokenizer: world.tokenizer, length: 24, packing: 'pad', out: world.path('short') });
    const { code, stderr } = await ldlm(world.train(world.path('a'), '--data', world.path('short')));
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('error: model.maxLength must be the length of the prepared data (24), got 48') });
  });

  it('refuses data made with a larger vocabulary than the encoder has', async () => {
    const words = Array.from({ length: 400 }, (_, i) => `word${i} again${i}`);
    await writeFile(world.path('words.txt'), words.join('\n') + '\n');
    await writeFile(world.path('words.json'), JSON.stringify(await trainWordLevel(words, { maxVocabulary: 1000 })));
    const tokenizer = await Tokenizer.load(world.path('words.json'));
    await prepare({ inputs: [world.path('words.txt')], tokenizer, length: 48, packing: 'pad', out: world.path('words') });
    const { code, stderr } = await ldlm(world.train(world.path('b'), '--data', world.path('words')));
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: the data must be made with the encoder's tokenizer: it has \d+ token ids, the encoder \d+/);
  });

  it('refuses data whose ids are other tokens of the encoder, though they are no more than it has', async () => {
    await writeFile(world.path('few.txt'), 'zebra quagga\n');
    await writeFile(world.path('few.json'), JSON.stringify(await trainWordLevel(['zebra quagga'], { maxVocabulary: 20 })));
    const tokenizer = await Tokenizer.load(world.path('few.json'));
    await prepare({ inputs: [world.path('few.txt')], tokenizer, length: 48, packing: 'pad', out: world.path('few') });
    const { code, stderr } = await ldlm(world.train(world.path('d'), '--data', world.path('few')));
    expect(stderr).toMatch(/error: the data must be made with the encoder's tokenizer, got another: '[^']+' is \d+ in .*few\/tokenizer\.json and no token in .*lm\/tokenizer\.json\. Prepare the data with --tokenizer .*lm/);
    expect(code).toBe(1);
  });

  it('refuses to go on with another encoder or other words than those of the checkpoint', async () => {
    const out = await world.copyOfRun('others');
    const lm = world.path('other-lm');
    const sizes = ['--length', '48', '--layers', '2', '--width', '32', '--heads', '2', '--identity-layer', '-2', '--steps', '2', '--batch', '2'];
    await ldlmOutput(['pretrain', '--input', world.path('stories.txt'), '--words', '--packing', 'pad', ...sizes, '--out', lm]);
    const encoder = await ldlm(world.train(out, '--encoder', lm, ...set('train.steps=60')));
    expect(encoder).toMatchObject({ code: 1, stderr: expect.stringMatching(/error: encoder\.source must be the encoder of the checkpoint, of hidden width 16 and \d+ token ids, got .*other-lm with 32 and \d+/) });

    const alike = world.path('lm-made-anew');
    await cp(world.lm, alike, { recursive: true });
    const weights = await readFile(join(alike, 'model.safetensors'));
    weights[weights.length - 1]! ^= 1;
    await writeFile(join(alike, 'model.safetensors'), weights);
    const retrained = await ldlm(world.train(out, '--encoder', alike, ...set('train.steps=60')));
    expect(retrained).toMatchObject({ code: 1, stderr: expect.stringMatching(/error: encoder\.source must be the encoder of the checkpoint, whose weights have the SHA-256 [0-9a-f]{12}\.\.\., got .*lm-made-anew with/) });

    const others = world.path('other-stories');
    await writeFile(world.path('other-stories.txt'), world.stories.slice(0, 50).join('\n'));
    await prepare({ inputs: [world.path('other-stories.txt')], tokenizer: world.tokenizer, length: 48, packing: 'pad', out: others });
    const rows = await ldlm(world.train(out, '--data', others, ...set('train.steps=60')));
    expect(rows).toMatchObject({ code: 1, stderr: expect.stringMatching(/error: the data must be those of the checkpoint to resume, got other rows in .*other-stories/) });

    const data = world.path('other-words');
    await cp(world.data, data, { recursive: true });
    await writeFile(join(data, 'tokenizer.json'), (await readFile(join(data, 'tokenizer.json'), 'utf8')) + '\n');
    const words = await ldlm(world.train(out, '--data', data, ...set('train.steps=60')));
    expect(words).toMatchObject({ code: 1, stderr: expect.stringMatching(/error: the data must be made with the tokenizer of the run, .*got another one in .*other-words/) });
  });

  it.each([
    [['--set', 'train.learningRate=1'], 2, /error: train\.learningRate is not a configuration key: did you mean train\.\w+\?/],
    [['--set', 'train.lr=-1'], 2, /error: train\.lr must be > 0, got -1/],
    [['--set', 'train.batch'], 2, /error: --set must be PATH=VALUE/],
    [['--encoder', 'no-such-folder'], 1, /error: .*no-such-folder/],
    [['--data', 'no-such-folder'], 1, /error: .*no-such-folder/],
    [['--resume', 'maybe'], 2, /Allowed choices are auto, never, must/],
    [['--preset', 'tiny'], 2, /'--config <file>' cannot be used with option '--preset <name>'|cannot be used/],
  ])('answers %j with exit code %i and what to do', async (flags, code, message) => {
    const ended = await ldlm(world.train(world.path('refused'), ...flags));
    expect(ended.stderr).toMatch(message);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).not.toContain('This was not expected');
  });

  it.each([
    ['the data', (size: number) => size - 10],
    ['the header', () => 100],
    ['everything', () => 0],
  ])('names a model.safetensors that lost %s', async (_, keep) => {
    const out = await world.copyOfRun(`truncated-${keep(1000)}`);
    const file = join(await latestFolder(out), 'model.safetensors');
    await truncate(file, keep((await stat(file)).size));
    const { code, stderr } = await ldlm(world.train(out, ...set('train.steps=45')));
    expect(code).toBe(1);
    expect(stderr).toContain(file);
    expect(stderr).not.toContain('This was not expected');
  });

  it('damaged weights of the frozen LM, and weights that lack a tensor, are an ERR_LDLM_IO', async () => {
    const lm = world.path('cut-lm');
    await cp(world.lm, lm, { recursive: true });
    const file = join(lm, 'model.safetensors');
    const whole = await readFile(file);
    const refusal = async () => PretrainedEncoder.load(lm, { device: 'cpu' }).catch((error: unknown) => error);
    await truncate(file, whole.length - 10);
    expect(await refusal()).toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(/cut-lm.*the file is cut short|must fill the/) });
    await writeFile(file, Buffer.from(whole.toString('latin1').replace('h.0.ln_1.bias', 'h.7.ln_1.bias'), 'latin1'));
    expect(await refusal()).toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(/missing: h\.0\.ln_1\.bias/) });
  });

  it('pretrain writes over nothing unless told to', async () => {
    const before = await readFile(join(world.lm, 'model.safetensors'));
    const command = ['pretrain', '--input', world.path('stories.txt'), '--words', '--packing', 'pad', '--length', '48', '--layers', '1', '--identity-layer', '-1', '--width', '16', '--heads', '2', '--steps', '1', '--out'];
    const { code, stderr } = await ldlm([...command, world.lm]);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/error: .*lm must be a new or empty folder, got a model; choose another or replace it \(--force/) });
    expect((await readFile(join(world.lm, 'model.safetensors'))).equals(before)).toBe(true);
    const copy = world.path('replaced-lm');
    await cp(world.lm, copy, { recursive: true });
    await ldlmOutput([...command, copy, '--force']);
    expect((await readFile(join(copy, 'model.safetensors'))).equals(before)).toBe(false);
  });

  it('the demo begins in no folder that holds something else', async () => {
    const theirs = world.path('theirs');
    await mkdir(theirs);
    await writeFile(join(theirs, 'stories.txt'), 'mine');
    const { code, stderr } = await ldlm(['demo', '--out', theirs]);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/error: --out must be a new or empty folder, or that of a demo, got .*theirs with other files in it \(stories\.txt\)/) });
    expect(await readFile(join(theirs, 'stories.txt'), 'utf8')).toBe('mine');
  });

  it('sizes of a language model that cannot be are wrong usage, before a text is read', async () => {
    for (const [flags, message] of [[['--heads', '3'], 'heads must divide width (128), got 3'], [['--lr', '-1'], 'lr must be > 0, got -1']] as const) {
      const { code, stderr } = await ldlm(['pretrain', '--input', world.path('nowhere.txt'), '--out', world.path('none'), ...flags]);
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(`error: ${message}`) });
    }
  });

  it('errors of the API are LdlmErrors with a code', async () => {
    const config = world.config();
    config.model.dit.heads = 3;
    const failure = await JointTrainer.create(config, { out: world.path('c') }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LdlmError);
    expect(failure).toMatchObject({ code: 'ERR_LDLM_CONFIG', message: 'model.dit.heads must divide model.dit.width (16), got 3' });
  });
});
