// One id of the hub through prepare, hidden, train and as a scorer, against a small local hub: fetched once, pinned by the run, usable without a network.

import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Scorer } from '../../src/index.js';
import { COMMIT, type HubServer, startHub } from '../unit/hub_server.js';
import { latestFolder, ldlm, ldlmOutput, makeWorld, SETUP_MS, type World } from './fixture.js';

let world: World;
let hub: HubServer;

beforeAll(async () => {
  world = await makeWorld();
  const names = ['config.json', 'model.safetensors', 'tokenizer.json'];
  hub = await startHub('org/lm', Object.fromEntries(names.map((name) => [name, readFileSync(join(world.lm, name))])));
}, SETUP_MS);
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});
beforeEach(async () => {
  for (const name of ['HF_TOKEN', 'HF_HUB_OFFLINE']) vi.stubEnv(name, '');
  vi.stubEnv('HF_ENDPOINT', hub.url);
  await mkdir(world.path('cache'), { recursive: true });
  vi.stubEnv('HF_HUB_CACHE', world.path('cache'));
});

describe('an id of the hub as the frozen LM and as a scorer', () => {
  it('gives what its folder gives, and is fetched once, with progress on stderr', async () => {
    const hidden = (encoder: string) => ldlm(['hidden', '--encoder', encoder, '--layer', '-2'], world.stories[0]! + '\n');
    const first = await hidden('org/lm');
    expect(first).toMatchObject({ code: 0, stdout: (await hidden(world.lm)).stdout });
    expect(first.stderr).toMatch(/fetching org\/lm 100 %/);
    expect((await hidden('org/lm')).stderr).not.toMatch(/fetching/);
    expect(hub.requests.filter((line) => line.startsWith('GET store'))).toHaveLength(1);
  });

  it('prepares data with its tokenizer', async () => {
    const prepare = (tokenizer: string, out: string) =>
      ldlmOutput(['prepare', '--input', world.path('stories.txt'), '--tokenizer', tokenizer, '--length', '48', '--packing', 'pad', '--out', out]);
    await prepare('org/lm', world.path('data-hub'));
    expect(readFileSync(world.path('data-hub', 'shard-00000.bin')).equals(readFileSync(join(world.data, 'shard-00000.bin')))).toBe(true);
  });

  it('is a scorer that says which commit it is, and scores like its folder', async () => {
    await using fetched = await Scorer.load('org/lm');
    await using local = await Scorer.load(world.lm);
    expect([fetched.source, local.source]).toEqual([`org/lm@${COMMIT}`, world.lm]);
    expect(await fetched.sha256()).toBe(await local.sha256());
    const rows = await local.encode(world.stories.slice(0, 2));
    expect(await fetched.encode(world.stories.slice(0, 2))).toEqual(rows);
    expect(await fetched.score(rows)).toEqual(await local.score(rows));
  });

  it('is pinned by a run, which goes on with the same weights whatever the hub has by then, and without it', async () => {
    const out = world.path('run');
    const train = (steps: number) => ['train', '--config', world.configFile, '--encoder', 'org/lm', '--out', out, '--set', `train.steps=${steps}`];
    const source = async (): Promise<string> => (JSON.parse(readFileSync(join(await latestFolder(out), 'config.json'), 'utf8')) as { encoder: { source: string } }).encoder.source;
    await ldlmOutput(train(4));
    expect(await source()).toBe(`org/lm@${COMMIT}`);
    hub.behaviour.commit = COMMIT.replaceAll('c', 'd');
    hub.requests.length = 0;
    await ldlmOutput(train(6));
    expect(await source()).toBe(`org/lm@${COMMIT}`);
    expect(hub.requests).toEqual([]);
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await ldlmOutput(['reconstruct', '--model', out], world.stories[0]! + '\n')).not.toBe('');
  });

  it('that is not there ends with what to do', async () => {
    expect(await ldlm(['hidden', '--encoder', 'org/none', '--layer', '0', '--ids'], '1\n')).toMatchObject({
      code: 1, stdout: '', stderr: expect.stringMatching(/^error: 'org\/none' at revision 'main' must exist on the hub, got status 404 from .*Check the name/) });
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect((await ldlm(['hidden', '--encoder', 'org/none', '--layer', '0', '--ids'], '1\n')).stderr).toMatch(/must be in the cache .* when HF_HUB_OFFLINE is set/);
  });
});
