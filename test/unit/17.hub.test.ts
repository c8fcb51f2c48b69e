// Models from the hub, against a small local one: the cache's layout, resuming, checksums, and what is said when it fails.

import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheFolder } from '../../src/hub/cache.js';
import { keepCommit, parseModelId, resolveModel } from '../../src/hub/model_source.js';
import { hashWeights } from '../../src/hub/weight_files.js';
import { COMMIT, type HubServer, startHub } from './hub_server.js';

const weights = randomBytes(3_000_000);
const files = {
  'config.json': Buffer.from('{"model_type":"gpt2"}'),
  'tokenizer.json': Buffer.from('{"model":{}}'),
  'tokenizer_config.json': Buffer.from('{}'),
  'model.safetensors': weights,
  'pytorch_model.bin': Buffer.from('never fetched'),
};

let hub: HubServer;
let cache: string;

beforeEach(async () => {
  hub = await startHub('org/tiny', files);
  cache = await mkdtemp(join(tmpdir(), 'ldlm-hub-'));
  for (const name of ['HF_HOME', 'HF_TOKEN', 'HF_HUB_OFFLINE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME']) vi.stubEnv(name, '');
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_HUB_CACHE', cache);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await hub[Symbol.asyncDispose]();
  await rm(cache, { recursive: true });
});

const snapshot = (name = 'org--tiny', commit = COMMIT): string => join(cache, `models--${name}`, 'snapshots', commit);
const blobs = (): Promise<string[]> => readdir(join(cache, 'models--org--tiny', 'blobs'));
const load = (source = 'org/tiny') => resolveModel(source, ['weights', 'tokenizer']);

describe('a model of the hub', () => {
  it('comes into the layout of the Hugging Face cache, with what is needed and no more', async () => {
    const seen: [number, number][] = [];
    const found = await resolveModel('org/tiny', ['weights', 'tokenizer'], { onDownload: (bytes, total) => seen.push([bytes, total]) });
    expect(found).toEqual({ folder: snapshot(), source: `org/tiny@${COMMIT}` });
    expect((await readdir(found.folder)).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']);
    const hash = createHash('sha256').update(weights).digest('hex');
    expect(readlinkSync(join(found.folder, 'model.safetensors'))).toBe(`../../blobs/${hash}`);
    expect(readFileSync(join(found.folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(readFileSync(join(cache, 'models--org--tiny', 'refs', 'main'), 'utf8')).toBe(COMMIT);
    const total = Object.entries(files).reduce((sum, [name, data]) => sum + (name.endsWith('.bin') ? 0 : data.length), 0);
    expect(seen.at(-1)).toEqual([total, total]);
    expect(seen.every(([bytes], i) => i === 0 || bytes >= seen[i - 1]![0])).toBe(true);
  });

  it('brings only the tokenizer where only that is needed', async () => {
    const { folder } = await resolveModel('org/tiny', ['tokenizer']);
    expect((await readdir(folder)).sort()).toEqual(['tokenizer.json', 'tokenizer_config.json']);
  });

  it('is not fetched twice, and not even asked for when a commit is named', async () => {
    await load();
    hub.requests.length = 0;
    await load();
    expect(hub.requests).toEqual(['GET hub /api/models/org/tiny/revision/main']);
    hub.requests.length = 0;
    expect(await load(`org/tiny@${COMMIT}`)).toEqual({ folder: snapshot(), source: `org/tiny@${COMMIT}` });
    expect(hub.requests).toEqual([]);
  });

  it.each([503, 429])('is taken from the cache while the hub answers with status %i', async (status) => {
    await load();
    hub.behaviour.status = status;
    expect((await load()).folder).toBe(snapshot());
    await expect(load('org/other')).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(new RegExp(`answered with status ${status} .*try again later`)) });
  });

  it('is an ERR_LDLM_ABORTED when the fetch is stopped', async () => {
    const controller = new AbortController();
    const stopped = resolveModel('org/tiny', ['weights'], { signal: controller.signal, onDownload: () => controller.abort() });
    await expect(stopped).rejects.toMatchObject({ code: 'ERR_LDLM_ABORTED' });
    expect((await load()).folder).toBe(snapshot());
  });

  it('is fetched once by those who need it at the same time', async () => {
    const found = await Promise.all([load(), load(), load()]);
    expect(new Set(found.map(({ folder }) => folder))).toEqual(new Set([snapshot()]));
    expect(hub.requests.filter((line) => line.startsWith('GET store'))).toHaveLength(1);
  });

  it('is found where Python put it', async () => {
    const blob = join(cache, 'models--org--tiny', 'blobs', 'abc');
    for (const dir of [snapshot(), join(blob, '..'), join(cache, 'models--org--tiny', 'refs')]) await mkdir(dir, { recursive: true });
    await writeFile(blob, 'x');
    for (const name of ['config.json', 'model.safetensors', 'tokenizer.json']) await symlink('../../blobs/abc', join(snapshot(), name));
    await writeFile(join(cache, 'models--org--tiny', 'refs', 'main'), COMMIT);
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect((await load()).folder).toBe(snapshot());
    expect(hub.requests).toEqual([]);
  });

  it('comes in shards', async () => {
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const index = JSON.stringify({ metadata: {}, weight_map: { a: names[0], b: names[1], c: names[0] } });
    await using sharded = await startHub('org/big', {
      'config.json': files['config.json'], 'model.safetensors.index.json': Buffer.from(index), [names[0]!]: randomBytes(1000), [names[1]!]: randomBytes(2000) });
    vi.stubEnv('HF_ENDPOINT', sharded.url);
    const { folder } = await resolveModel('org/big', ['weights']);
    expect((await readdir(folder)).sort()).toEqual(['config.json', ...names, 'model.safetensors.index.json']);
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect((await resolveModel('org/big', ['weights'])).folder).toBe(folder);
    await rm(join(folder, names[1]!));
    await expect(resolveModel('org/big', ['weights'])).rejects.toThrow(/no complete copy/);
  });

  it('has a hash of the weights that are read, whatever else lies beside them', async () => {
    const { folder } = await load();
    const hash = await hashWeights(folder);
    await writeFile(join(folder, 'consolidated.safetensors'), 'others');
    expect(await hashWeights(folder)).toBe(hash);
    expect(hash).toBe(createHash('sha256').update(weights).digest('hex'));
  });

  it('that was renamed is followed, and kept under the name it was asked by', async () => {
    hub.behaviour.renamedFrom = 'old';
    const found = await load('old');
    expect(found).toEqual({ folder: snapshot('old'), source: `old@${COMMIT}` });
    expect(readFileSync(join(found.folder, 'model.safetensors')).equals(weights)).toBe(true);
  });

  it('needs its token on the hub, and shows it to nobody else', async () => {
    hub.behaviour.token = 'hf_secret';
    await expect(load()).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(/got status 401.*set HF_TOKEN/) });
    vi.stubEnv('HF_TOKEN', 'hf_secret');
    expect((await load()).folder).toBe(snapshot());
  });
});

describe('a download', () => {
  it('goes on where the connection was cut', async () => {
    hub.behaviour.cutAfter = [1_000_000, 1_000_000];
    const { folder } = await resolveModel('org/tiny', ['weights'], {});
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    const ranges = hub.requests.filter((line) => line.includes('GET store')).map((line) => Number(/bytes=(\d+)-$/.exec(line)?.[1] ?? 0));
    // What was on its way when the connection ended may be lost with it, so the numbers vary.
    expect(ranges).toEqual([0, expect.any(Number), expect.any(Number)]);
    expect(ranges[1]).toBeGreaterThan(0);
    expect(ranges[2]).toBeGreaterThan(ranges[1]!);
  });

  it('that was given up is kept, and the next run goes on with it', async () => {
    await resolveModel('org/tiny', ['tokenizer']);
    hub.behaviour.cutAfter = [1_000_000, ...Array<number>(5).fill(0)];
    await expect(resolveModel('org/tiny', ['weights'])).rejects.toThrow(/model.safetensors must arrive whole \(3000000 bytes\), got [1-9]\d+: .*run the command again/);
    expect((await blobs()).some((name) => name.endsWith('.incomplete'))).toBe(true);
    hub.behaviour.cutAfter = [];
    hub.requests.length = 0;
    const { folder } = await load();
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(hub.requests.filter((line) => line.includes('store'))).toEqual([expect.stringMatching(/bytes=[1-9]\d+-$/)]);
    expect((await blobs()).some((name) => name.endsWith('.incomplete'))).toBe(false);
  }, 20_000);

  it('begins anew where the server knows no ranges', async () => {
    hub.behaviour.cutAfter = [1_000_000];
    hub.behaviour.ignoreRange = true;
    const { folder } = await load();
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
  });

  it('with other bytes than the hub announced is deleted', async () => {
    hub.behaviour.damage = true;
    await expect(load()).rejects.toThrow(/config.json must have the hash [0-9a-f]{40} that the hub announced, got [0-9a-f]{40}: it was damaged/);
    expect(await blobs()).toEqual([]);
    hub.behaviour.damage = false;
    await resolveModel('org/tiny', ['tokenizer']);
    await load();
  });

  it('of weights is checked by SHA-256', async () => {
    await resolveModel('org/tiny', ['tokenizer']);
    await writeFile(join(cache, 'models--org--tiny', 'blobs', `${createHash('sha256').update(weights).digest('hex')}.incomplete`), randomBytes(200_000));
    await expect(load()).rejects.toThrow(/model.safetensors must have the hash [0-9a-f]{64}/);
    expect(existsSync(join(snapshot(), 'model.safetensors'))).toBe(false);
    await load(); // the damaged start is gone
  });
});

describe('a model that cannot be had', () => {
  it.each([
    ['org/none', /'org\/none' at revision 'main' must exist on the hub, got status 404/],
    ['org/tiny@v9', /'org\/tiny' at revision 'v9' must exist on the hub, got status 404/],
    ['./none', /must be a Hugging Face layout folder or an id of the hub such as gpt2 or org\/name, got '\.\/none', which is no folder here/],
    ['a/b/c', /got 'a\/b\/c', which is no folder here/],
  ])('%s is said to be so', async (source, message) => {
    await expect(load(source)).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(message) });
  });

  it('without safetensors or tokenizer.json is refused with the way to convert it', async () => {
    await using old = await startHub('org/old', { 'config.json': files['config.json'], 'pytorch_model.bin': Buffer.from('x'), 'vocab.txt': Buffer.from('x') });
    vi.stubEnv('HF_ENDPOINT', old.url);
    await expect(resolveModel('org/old', ['weights'])).rejects.toThrow(/must have model.safetensors on the hub, got config.json, pytorch_model.bin, vocab.txt. Convert/);
    await expect(resolveModel('org/old', ['tokenizer'])).rejects.toThrow(/must have tokenizer.json on the hub/);
  });

  it('offline is said to be missing from the cache, and nothing is asked', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', 'true');
    await expect(load()).rejects.toThrow(/'org\/tiny' \(revision 'main'\) must be in the cache .* when HF_HUB_OFFLINE is set, got no complete copy there. Fetch it once/);
    expect(hub.requests).toEqual([]);
  });

  it('without a network is taken from the cache, or said to be missing there', async () => {
    const { folder } = await resolveModel('org/tiny', ['weights']);
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:1');
    expect((await resolveModel('org/tiny', ['weights'])).folder).toBe(folder);
    await expect(resolveModel('org/tiny', ['tokenizer'])).rejects.toThrow(/when there is no folder 'org\/tiny' and http:\/\/127.0.0.1:1 cannot be reached/);
  });
});

describe('names of models', () => {
  it('are ids of the hub, with or without a revision, or none', () => {
    expect(parseModelId('gpt2')).toEqual({ name: 'gpt2', revision: 'main' });
    expect(parseModelId('org/a-b.c@refs/pr/1')).toEqual({ name: 'org/a-b.c', revision: 'refs/pr/1' });
    for (const path of ['/models/gpt2', './gpt2', '../gpt2', 'a/../b', 'a/b/c', 'gpt2/', '', 'a b', 'x@../y']) expect(parseModelId(path)).toBeNull();
  });

  it('keep the commit of a run that is continued, unless another revision or model is asked for', () => {
    expect(keepCommit('gpt2', `gpt2@${COMMIT}`)).toBe(`gpt2@${COMMIT}`);
    expect(keepCommit('gpt2@main', `gpt2@${COMMIT}`)).toBe('gpt2@main');
    expect(keepCommit('org/other', `gpt2@${COMMIT}`)).toBe('org/other');
    expect(keepCommit('models/gpt2', 'models/gpt2')).toBe('models/gpt2');
  });

  it('are looked for where Python looks', () => {
    vi.stubEnv('HF_HUB_CACHE', '');
    vi.stubEnv('XDG_CACHE_HOME', '/x');
    expect(cacheFolder()).toBe('/x/huggingface/hub');
    vi.stubEnv('HF_HOME', '/h');
    expect(cacheFolder()).toBe('/h/hub');
    vi.stubEnv('HF_HUB_CACHE', '/c');
    expect(cacheFolder()).toBe('/c');
  });

  it('that are folders stay what they are', async () => {
    expect(await resolveModel(cache, ['weights'])).toEqual({ folder: cache, source: cache });
    expect(hub.requests).toEqual([]);
  });
});
