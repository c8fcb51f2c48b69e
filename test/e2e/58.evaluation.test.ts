// `ldlm eval` on a small trained run, with the run's own language model as the scorer; and the scorer through the API.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import { type EvaluationResult, protocolNames, type Sample, Scorer } from '../../src/index.js';
import { latestFolder, ldlm, ldlmOutput, LENGTH, makeTrainedWorld, parseLines, SETUP_MS, type TrainedWorld } from './fixture.js';

let world: TrainedWorld;
let scorer: Scorer;
const evaluate = (...flags: string[]) => ldlm(['eval', '--model', world.run, '--steps', '2', '--out', world.path('eval'), ...flags]);
const results = async (): Promise<EvaluationResult[]> =>
  (JSON.parse(await readFile(world.path('eval', 'eval.json'), 'utf8')) as { results: EvaluationResult[] }).results;

beforeAll(async () => {
  world = await makeTrainedWorld(3);
  scorer = await Scorer.load(world.lm);
}, SETUP_MS);
afterAll(async () => {
  await scorer.dispose();
  await world[Symbol.asyncDispose]();
});

describe('ldlm eval', () => {
  it('runs every protocol, and writes each result with the conditions under which it holds', async () => {
    const { code, stdout, stderr } = await evaluate(
      '--protocol', ...protocolNames, '--count', '100', '--seed', '3', '--scorer', world.lm, '--reference', world.path('stories.txt'));
    expect(stderr).not.toMatch(/error/);
    expect(code).toBe(0);
    const found = await results();
    expect(found.map(({ protocol }) => protocol)).toEqual(protocolNames);
    for (const result of found) {
      expect(result).toMatchObject({
        samples: 100, count: 100, steps: 2, sampler: 'ddpm', eta: 1, seed: 3, precision: 'float32',
        model: { step: 3, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
        machine: { device: 'cpu', cores: expect.any(Number) as number },
      });
      expect(stdout).toContain(`\n${result.protocol}\n`);
    }
    const of = (name: string): EvaluationResult => found.find(({ protocol }) => protocol === name)!;
    // The scorer knows next to nothing, so perplexities are of the order of its vocabulary.
    for (const name of ['genppl/mdlm-v1', 'genppl/sedd-v1', 'genppl/cosmos-v1']) expect(of(name)['perplexity']).toBeGreaterThan(1);
    expect(of('entropy/model-tokens-nats')['entropy']).toBeLessThanOrEqual(Math.log(LENGTH));
    expect(of('entropy/gpt2-tokens-nats').notes).toContainEqual(expect.stringMatching(/tokenizer is not GPT-2's/));
    expect(of('mauve/v1')).toMatchObject({ clusters: 10, maxTokens: LENGTH });
    expect(of('reconstruction/v1')).toMatchObject({ noise: world.config().recipe.decoderNoise });
    expect(of('memorisation/v1')).toMatchObject({ trainingTexts: 200 });
    expect(of('grammar/v1').scorer).toBeNull();
    expect(of('mauve/v1').scorer).toMatchObject({ path: world.lm, sha256: await scorer.sha256() });
    const samples = parseLines<Sample>(await readFile(world.path('eval', 'samples.jsonl'), 'utf8'));
    expect(samples.map(({ index }) => index)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('gives equal figures for equal seeds, on stdout with --json', async () => {
    const flags = ['--protocol', 'genppl/mdlm-v1', '--protocol', 'diversity/v1', '--count', '4', '--scorer', world.lm, '--json'];
    const [first, second] = [await evaluate(...flags), await evaluate(...flags, '--batch', '3')];
    expect(first.stdout).toBe(second.stdout);
    expect(JSON.parse(first.stdout)).toEqual({ results: await results() });
  });

  it('compares with given training texts instead of the shards', async () => {
    const { stdout } = await evaluate('--protocol', 'memorisation/v1', '--count', '2', '--training', world.path('stories.txt'), '--json');
    expect(JSON.parse(stdout)).toMatchObject({ results: [{ trainingTexts: 200 }] });
  });

  it('takes no blank line of --reference for a text', async () => {
    await writeFile(world.path('blank.txt'), world.stories.slice(0, 4).join('\n\n   \n'));
    await writeFile(world.path('four.txt'), world.stories.slice(0, 4).join('\n'));
    const judge = async (file: string): Promise<unknown> => JSON.parse((await evaluate('--protocol', 'entropy/model-tokens-nats', 'reconstruction/v1', '--count', '4', '--reference', world.path(file), '--json')).stdout);
    expect(await judge('blank.txt')).toEqual(await judge('four.txt'));
  });

  it('refuses before it samples training texts that are not there, and files without a text', async () => {
    await writeFile(world.path('blanks.txt'), '\n \n');
    for (const file of ['nowhere.txt', 'blanks.txt']) {
      const { code, stderr } = await evaluate('--protocol', 'memorisation/v1', '--training', world.path(file));
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(file) });
      expect(stderr).not.toMatch(/sampling/);
    }
  });

  it('refuses before it samples a training set of other rows than the model was trained on', async () => {
    const run = await world.copyOfRun('elsewhere');
    const state = join(await latestFolder(run), 'state.json');
    await writeFile(state, (await readFile(state, 'utf8')).replace(/"dataSha256": "[^"]+"/, '"dataSha256": "0"'));
    const { code, stderr } = await ldlm(['eval', '--model', run, '--protocol', 'memorisation/v1', '--count', '2', '--steps', '2', '--out', world.path('none')]);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/error: memorisation\/v1 must have the data that the model was trained on, got some of other rows in .*data\. Give --training FILE/) });
    expect(stderr).not.toMatch(/sampling/);
  });

  it('refuses before it samples an encoder that is another by now', async () => {
    const run = await world.copyOfRun('other-encoder');
    const state = join(await latestFolder(run), 'state.json');
    await writeFile(state, (await readFile(state, 'utf8')).replace(/"sha256": "[^"]+"/, `"sha256": "${'0'.repeat(64)}"`));
    const { code, stderr } = await ldlm(['eval', '--model', run, '--protocol', 'reconstruction/v1', '--count', '2', '--steps', '2', '--reference', world.path('stories.txt'), '--out', world.path('none')]);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/error: encoder\.source must be the encoder of the checkpoint, whose weights have the SHA-256 0{12}\.\.\., got .*\. Put the encoder of the training back there/) });
    expect(stderr).not.toMatch(/sampling/);
  });

  it('states what one protocol refuses, keeps the samples and what the others found, and exits with 1', async () => {
    const out = world.path('refused');
    const strangerToStories = await pretrainOn('strange', Array.from({ length: 60 }, (_, i) => `zyzzyva qwertz ${i}`));
    const { code, stderr } = await ldlm(['eval', '--model', world.run, '--count', '2', '--steps', '2', '--protocol', 'genppl/mdlm-v1', 'diversity/v1', '--scorer', strangerToStories, '--out', out]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: genppl\/mdlm-v1: the scorer's tokenizer must represent the texts/);
    const { results } = JSON.parse(await readFile(join(out, 'eval.json'), 'utf8')) as { results: object[] };
    expect(results).toMatchObject([{ protocol: 'genppl/mdlm-v1', refused: expect.any(String) }, { protocol: 'diversity/v1', distinct2: expect.any(Number) }]);
    expect(parseLines(await readFile(join(out, 'samples.jsonl'), 'utf8'))).toHaveLength(2);
  });

  it('refuses before it samples: no scorer, no references, too few of them, too few samples', async () => {
    await writeFile(world.path('two.txt'), world.stories.slice(0, 2).join('\n'));
    const refusals: [string[], RegExp][] = [
      [['--protocol', 'mauve/v1', '--count', '100'], /mauve\/v1 must have a scorer, got none/],
      [['--protocol', 'mauve/v1', '--count', '100', '--scorer', world.lm], /must have reference texts, got none/],
      [['--protocol', 'mauve/v1', '--count', '100', '--scorer', world.lm, '--reference', world.path('two.txt')], /as many references as samples, 100, got 2/],
      [['--protocol', 'mauve/v1', '--count', '50', '--scorer', world.lm, '--reference', world.path('stories.txt')], /at least 100 samples, got --count 50/],
      [['--protocol', 'genppl/cosmos-v1', '--count', '5', '--scorer', world.lm], /at least 20 samples/],
    ];
    for (const [flags, message] of refusals) {
      const { code, stderr, stdout } = await evaluate(...flags);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/sampling/);
    }
    expect((await evaluate('--protocol', 'genppl/v9')).code).toBe(2);
  });
});

describe('a scorer', () => {
  it('gives the same whether rows are scored together or alone', async () => {
    const rows = await scorer.encode(world.stories.slice(0, 5));
    const together = await scorer.score([...rows, [0]]);
    expect(together.at(-1)!.logLikelihoods).toEqual(Float32Array.of(0));
    for (const [i, row] of rows.entries()) {
      const [alone] = await scorer.score([row]);
      expect(alone!.logLikelihoods).toHaveLength(row.length);
      alone!.logLikelihoods.forEach((value, j) => expect(together[i]!.logLikelihoods[j]).toBeCloseTo(value, 4));
      alone!.lastHidden.forEach((value, j) => expect(together[i]!.lastHidden[j]).toBeCloseTo(value, 4));
    }
  });

  it('agrees with Hugging Face transformers on the golden GPT-2', async () => {
    // The golden folder has no tokenizer: it gets the one of the world, of which only the end token is used here.
    const golden = join(packageRoot(), 'test', 'golden', 'gpt2-tiny');
    for (const name of ['config.json', 'model.safetensors']) await writeFile(join(await folder('golden'), name), await readFile(join(golden, name)));
    await writeFile(world.path('golden', 'tokenizer.json'), JSON.stringify(fewTokens(101)));
    await using tiny = await Scorer.load(world.path('golden'));
    const { ids, lengths, logLikelihoods } = await readScores(join(golden, 'scores.safetensors'));
    const scored = await tiny.score(lengths.map((length, row) => ids.slice(row * 12, row * 12 + length)));
    scored.forEach((row, i) => row.logLikelihoods.forEach((value, j) => expect(Math.abs(value - logLikelihoods[i * 12 + j]!)).toBeLessThan(1e-4)));
  });

  it('refuses a text that its vocabulary cannot represent, but not the unknown token spelled out', async () => {
    await expect(scorer.encode(['Anna had a ball.', 'Zyzzyva had a qwertz.'])).rejects.toThrow(
      /the scorer's tokenizer must represent the texts, got 2 of \d+ tokens unknown to it in 'Zyzzyva had a qwertz.'. Use a scorer/);
    const [known, decoded, spelled] = await scorer.encode(['Anna had a ball.', 'Anna had a<unk>.', 'Anna had a <unk>.']);
    expect(decoded).toEqual(known!.with(3, 1));
    expect(spelled).toEqual(decoded);
  });

  it('refuses rows that are empty or longer than its positions, and a BERT', async () => {
    await expect(scorer.score([[]])).rejects.toThrow(/rows to score must hold 1 to 48 tokens/);
    await expect(scorer.score([new Array<number>(49).fill(0)])).rejects.toThrow(/got 49/);
    await expect(Scorer.load(join(packageRoot(), 'test', 'golden', 'bert-tiny'))).rejects.toThrow(/causal LM of the GPT-2 family, got bert/);
  });
});

describe('genppl/sedd-v1', () => {
  it('refuses a scorer with another tokenizer than the model', async () => {
    const lm = await pretrainOn('other', world.stories.slice(0, 60).map((story) => `Well: ${story}`));
    const { code, stderr } = await evaluate('--protocol', 'genppl/sedd-v1', '--count', '2', '--scorer', lm);
    expect(code).toBe(1);
    expect(stderr).toMatch(/genppl\/sedd-v1 must have a scorer with the model's tokenizer/);
    expect(stderr).not.toMatch(/sampling/);
  });
});

/** A language model of one step, and the words of `texts`. */
async function pretrainOn(name: string, texts: readonly string[]): Promise<string> {
  const [text, lm] = [world.path(`${name}.txt`), world.path(`${name}-lm`)];
  await writeFile(text, texts.join('\n'));
  await ldlmOutput(['pretrain', '--input', text, '--words', '--packing', 'pad', '--length', '64', '--width', '16', '--steps', '1', '--out', lm]);
  return lm;
}

async function folder(name: string): Promise<string> {
  await mkdir(world.path(name), { recursive: true });
  return world.path(name);
}

/** A word-level tokenizer.json of `count` tokens. */
function fewTokens(count: number): object {
  const tokens = ['<|endoftext|>', ...Array.from({ length: count - 1 }, (_, i) => `w${i}`)];
  return {
    version: '1.0',
    added_tokens: [{ id: 0, content: '<|endoftext|>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }],
    pre_tokenizer: { type: 'Whitespace' },
    model: { type: 'WordLevel', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), unk_token: 'w0' },
  };
}

async function readScores(file: string): Promise<{ ids: number[]; lengths: number[]; logLikelihoods: number[] }> {
  const bytes = await readFile(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { data_offsets: [number, number] }>;
  const data = (name: string): ArrayBuffer => {
    const [begin, end] = header[name]!.data_offsets;
    return Uint8Array.from(bytes.subarray(start + begin, start + end)).buffer;
  };
  const whole = (name: string): number[] => Array.from(new BigInt64Array(data(name)), Number);
  return { ids: whole('ids'), lengths: whole('lengths'), logLikelihoods: Array.from(new Float32Array(data('log_likelihoods'))) };
}
