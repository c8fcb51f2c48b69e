// Files and folders that are complete or not there, and what a full or forbidden disk becomes.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { syncAndRename, writeFileAtomic } from '../../src/data/atomic.js';
import { ioError } from '../../src/data/io_error.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ldlm-atomic-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('atomic files', () => {
  it('replace a file whole, and leave no temporary file when that fails', async () => {
    const path = join(dir, 'a.json');
    await writeFileAtomic(path, 'old');
    await writeFileAtomic(path, Buffer.from('new'));
    expect(await readFile(path, 'utf8')).toBe('new');
    await mkdir(join(dir, 'folder'));
    await expect(writeFileAtomic(join(dir, 'folder'), 'x')).rejects.toMatchObject({ code: 'ERR_LDLM_IO' });
    await expect(writeFileAtomic(join(dir, 'none', 'x'), 'x')).rejects.toThrow(/no such file or folder/);
    expect((await readdir(dir)).sort()).toEqual(['a.json', 'folder']);
  });

  it('are whole when several are written to one path at once', async () => {
    const path = join(dir, 'shared.txt');
    const texts = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(200_000 + i));
    await Promise.all(texts.map((text) => writeFileAtomic(path, text)));
    expect(texts).toContain(await readFile(path, 'utf8'));
    expect(await readdir(dir)).toEqual(['shared.txt']);
  });

  it('a folder keeps its old content if the new one cannot take its place', async () => {
    await mkdir(join(dir, 'target'));
    await writeFile(join(dir, 'target', 'old'), '');
    await mkdir(join(dir, 'fresh'));
    await expect(syncAndRename(join(dir, 'fresh'), join(dir, 'target'))).rejects.toMatchObject({ code: 'ERR_LDLM_IO' });
    await expect(syncAndRename(join(dir, 'missing'), join(dir, 'target'), { replace: true })).rejects.toMatchObject({ code: 'ERR_LDLM_IO' });
    expect(await readdir(join(dir, 'target'))).toEqual(['old']);
    await syncAndRename(join(dir, 'fresh'), join(dir, 'target'), { replace: true });
    expect(await readdir(dir)).toEqual(['target']);
  });

  it('gather small pieces of text, and leave the old file when making them fails half way', async () => {
    const path = join(dir, 'pieces.txt');
    await writeFileAtomic(path, Array.from({ length: 20_000 }, (_, i) => `${i}\n`));
    expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(20_001);
    await writeFile(path, 'old');
    const failing = function* () { yield 'new'; throw new Error('half way'); };
    await expect(writeFileAtomic(path, failing())).rejects.toThrow('half way');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(dir)).toEqual(['pieces.txt']);
  });

  it('never take the place of a device', async () => {
    await expect(writeFileAtomic('/dev/null', 'x')).rejects.toThrow(/\/dev\/null must be a new name or a plain file, got a folder, device or pipe/);
  });

  it('say so when a part of the path is a file', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(writeFileAtomic(join(dir, 'file', 'x'), 'x')).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringContaining('a part of the path is no folder') });
  });

  it('a folder takes its place although a process that was killed left its old one aside', async () => {
    const aside = join(dir, `target.${process.pid}.old`);
    for (const folder of [join(dir, 'target'), join(dir, 'fresh'), aside]) await mkdir(folder);
    await writeFile(join(aside, 'left'), '');
    await writeFile(join(dir, 'target', 'old'), '');
    await syncAndRename(join(dir, 'fresh'), join(dir, 'target'), { replace: true });
    expect(await readdir(dir)).toEqual(['target']);
  });
});

describe('ioError', () => {
  it('names the file, what it must be and what to do about a full disk', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 });
    expect(() => ioError('a.bin', 'a file that can be written')(full)).toThrow('a.bin must be a file that can be written, got: the disk is full: make room and run again');
  });
});
