// The checkpoints of a run folder: how many stay, and what happens to one that is there already.

import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyTokenizer, latestFolder, writeCheckpointFolder } from '../../src/api/run_folder.js';
import type { Manifest } from '../../src/data/manifest.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { trainWordLevel } from '../../src/data/tokenizer_training.js';

let run: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'ldlm-run-'));
});
afterEach(() => rm(run, { recursive: true, force: true }));

async function save(step: number, keepCheckpoints: number | null): Promise<string[]> {
  await writeCheckpointFolder(run, { train: { keepCheckpoints } }, async (folder) => {
    await writeFile(join(folder, 'model.safetensors'), `${step}`);
    return { step };
  });
  return (await readdir(join(run, 'checkpoints'))).sort();
}

it('a checkpoint that is saved twice is never away in between', async () => {
  await save(5, null);
  const before = await stat(join(run, 'checkpoints', 'step-5'));
  expect(await save(5, null)).toEqual(['latest', 'step-5']);
  expect((await stat(join(run, 'checkpoints', 'step-5'))).ino).toBe(before.ino);
});

it('a run gets the end token that the manifest names, also of a data set that has tokenizer.json only', async () => {
  const data = join(run, 'data');
  await mkdir(data);
  const words = await trainWordLevel(['a b'], { maxVocabulary: 9 });
  await writeFile(join(data, 'tokenizer.json'), JSON.stringify({ ...words, added_tokens: [], model: { ...(words['model'] as object), vocab: { a: 0, b: 1, '<unk>': 2, stop: 3 } } }));
  const manifest = { endId: 3, padId: 3 } as Manifest;
  await copyTokenizer({ dir: data, manifest }, join(run, 'run'), { resumed: false });
  expect(await Tokenizer.load(join(run, 'run'))).toMatchObject({ endId: 3, padId: null });
  await copyTokenizer({ dir: data, manifest }, join(run, 'run'), { resumed: true });
  await writeFile(join(run, 'run', 'tokenizer_config.json'), JSON.stringify({ eos_token: 'stop', pad_token: 'stop' })); // says the same in other words
  await copyTokenizer({ dir: data, manifest }, join(run, 'run'), { resumed: true });
  await expect(copyTokenizer({ dir: data, manifest: { ...manifest, endId: 1 } }, join(run, 'run'), { resumed: true })).rejects.toMatchObject({ code: 'ERR_LDLM_CONFIG' });
});

describe('train.keepCheckpoints', () => {
  it('keeps the newest by number, not by name', async () => {
    for (const step of [5, 10, 15]) await save(step, 9);
    expect(await save(100, 9)).toEqual(['latest', 'step-10', 'step-100', 'step-15', 'step-5']);
    expect(await save(105, 3)).toEqual(['latest', 'step-100', 'step-105', 'step-15']);
    expect(await save(110, 1)).toEqual(['latest', 'step-110']);
    expect(await latestFolder(run)).toBe(join(run, 'checkpoints', 'step-110'));
  });

  it('null keeps all, also later and under a limit', async () => {
    for (const step of [5, 10]) await save(step, null);
    await save(15, 1);
    expect(await save(20, 1)).toEqual(['latest', 'step-10', 'step-20', 'step-5']);
  });

  it('leaves what it does not know, and checkpoints of later steps', async () => {
    await save(50, 1);
    for (const name of ['step-5', 'step-7b', 'mine']) await mkdir(join(run, 'checkpoints', name));
    expect(await save(10, 1)).toEqual(['latest', 'mine', 'step-10', 'step-5', 'step-50', 'step-7b']);
  });

  it('deletes nothing when a checkpoint cannot be written', async () => {
    await save(5, 1);
    const failing = writeCheckpointFolder(run, { train: { keepCheckpoints: 1 } }, () => Promise.reject(new Error('no space')));
    await expect(failing).rejects.toThrow('no space');
    expect((await readdir(join(run, 'checkpoints'))).sort()).toEqual(['latest', 'step-5']);
  });
});
