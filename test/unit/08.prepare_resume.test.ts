import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, mkdtemp, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import { ExactSet } from '../../src/data/exact_set.js';
import { prepare, type PrepareOptions } from '../../src/data/prepare.js';
import { openShards } from '../../src/data/shards.js';
import { generateStories } from '../../src/data/stories/generate.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { openTokenizerPool } from '../../src/data/tokenizer_pool.js';
import { trainByteLevelBpe } from '../../src/data/tokenizer_training.js';

let corpus: string;
let tokenizer: Tokenizer;
let dir: string;
const stories = [...generateStories({ count: 2800, seed: 4 })];

beforeAll(async () => {
  corpus = await mkdtemp(join(tmpdir(), 'ldlm-corpus-'));
  await writeFile(join(corpus, 'tokenizer.json'), JSON.stringify(await trainByteLevelBpe(stories.slice(0, 200), { vocabulary: 400 })));
  tokenizer = await Tokenizer.load(corpus);
  // A block ends with each file: many places to stop at. The last file repeats documents, and one is longer than a block and than a shard.
  for (let i = 0; i < 10; i++) await writeFile(join(corpus, `part-${i}.txt`), stories.slice(100 * i, 100 * i + 100).join('\n'));
  const last = [...stories.slice(900, 1100), stories.join(' '), 'The end.'];
  await writeFile(join(corpus, 'rest.jsonl.gz'), gzipSync(last.map((text) => JSON.stringify({ text })).join('\n')));
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ldlm-resume-'));
});

const common = () => ({ inputs: [corpus], length: 64, dedup: 'exact' as const, validation: 150, rowsPerShard: 2000 });

async function make(out: string, options: Partial<PrepareOptions> = {}) {
  return prepare({ ...common(), tokenizer, packing: 'wrap', out: join(dir, out), ...options });
}

/** Names and hashes of all files of a folder. */
async function fingerprint(out: string): Promise<Record<string, string>> {
  const names = (await readdir(join(dir, out), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const paths = names.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(await Promise.all(paths.map(async (path) => [path.slice(join(dir, out).length), createHash('sha256').update(await readFile(path)).digest('hex')])));
}

/** `prepare` in a process of its own, from the built package; `limit` is put before the command. */
function start(out: string, packing: string, limit = ''): { exited: Promise<number | null>; kill: () => void; stderr: () => string } {
  const script = `
    const { prepare } = await import('${join(packageRoot(), 'dist/data/prepare.js')}');
    const { Tokenizer } = await import('${join(packageRoot(), 'dist/data/tokenizer.js')}');
    const tokenizer = await Tokenizer.load('${corpus}');
    await prepare({ ...${JSON.stringify({ ...common(), out: join(dir, out), packing, workers: 2, checkpointSeconds: 0 })}, tokenizer })
      .catch((error) => { console.error(error.message); process.exit(1); });`;
  const child = spawn('sh', ['-c', `${limit} exec "$0" --input-type=module -e "$1"`, process.execPath, script], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  return { exited: new Promise((resolve) => child.on('exit', resolve)), kill: () => child.kill('SIGKILL'), stderr: () => stderr };
}

describe('prepare', () => {
  it('makes the same bytes with any number of threads, and with checkpoints anywhere', async () => {
    await make('one', { workers: 0 });
    await make('two', { workers: 2, checkpointSeconds: 0 });
    expect(await fingerprint('two')).toEqual(await fingerprint('one'));
  });

  it.each(['wrap', 'pad'] as const)('killed again and again it neither loses nor repeats a document (%s)', async (packing) => {
    await make('whole', { packing });
    let kills = 0;
    for (let patience = 200; ; patience *= 1.4) {
      const run = start('killed', packing);
      const timer = setTimeout(() => (kills++, run.kill()), patience * (0.5 + Math.random()));
      const code = await run.exited;
      clearTimeout(timer);
      expect([0, null], run.stderr()).toContain(code);
      if (code === 0) break;
    }
    expect(kills).toBeGreaterThan(0);
    expect(await fingerprint('killed')).toEqual(await fingerprint('whole'));
    expect(await readdir(dir)).toEqual(['killed', 'whole']);
  });

  it.skipIf(process.platform === 'win32')('a full disk stops it with advice, and what was finished is continued', async () => {
    await make('whole');
    const run = start('full', 'wrap', 'ulimit -f 80;'); // blocks of 512 bytes or, in some shells, 1 KiB
    expect(await run.exited).toBe(1);
    expect(run.stderr()).toMatch(/shard-00000\.bin must be a file that can be written, got: a file would be larger than the system allows/);
    expect(await readdir(dir)).toEqual(['full.partial', 'whole']);
    const notices: string[] = [];
    await make('full', { onNotice: (text) => notices.push(text) });
    expect(notices.join()).toMatch(/continues the unfinished run|^$/);
    expect(await fingerprint('full')).toEqual(await fingerprint('whole'));
  });

  it('ends its threads while they answer', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.prependListener('uncaughtExceptionMonitor', note);
    for (let round = 0; round < 20; round++) {
      const pool = await openTokenizerPool(tokenizer, 2);
      const first = pool.encode(stories.slice(0, 20));
      for (let block = 0; block < 20; block++) void pool.encode(stories.slice(20, 24));
      await first;
      await pool[Symbol.asyncDispose]();
    }
    process.removeListener('uncaughtExceptionMonitor', note);
    expect(uncaught).toEqual([]);
  });

  it('stopped by a signal it keeps what was done', async () => {
    const stop = new AbortController();
    await expect(make('out', { signal: stop.signal, onProgress: ({ documents }) => documents > 0 && stop.abort() })).rejects.toMatchObject({
      code: 'ERR_LDLM_ABORTED', message: expect.stringMatching(/the same command continues it/),
    });
    const notices: string[] = [];
    await make('out', { onNotice: (text) => notices.push(text) });
    expect(notices).toEqual([expect.stringMatching(/continues the unfinished run .* after [1-9]\d* documents/)]);
    await make('whole');
    expect(await fingerprint('out')).toEqual(await fingerprint('whole'));
  });

  it('starts again when an input has changed since', async () => {
    const input = join(dir, 'in.txt');
    await writeFile(input, stories.slice(0, 200).join('\n'));
    const stop = new AbortController();
    await expect(make('out', { inputs: [input], signal: stop.signal, onProgress: ({ documents }) => documents > 0 && stop.abort() })).rejects.toThrow();
    await appendFile(input, '\nOne more.');
    const notices: string[] = [];
    await make('out', { inputs: [input], onNotice: (text) => notices.push(text) });
    expect(notices).toEqual([expect.stringMatching(/starts again: the unfinished run in .* had other inputs or options/)]);
  });

  it('does nothing a second time, also when the inputs were only copied, and says so', async () => {
    const first = await make('out');
    const before = await fingerprint('out');
    await utimes(join(corpus, 'part-0.txt'), 1, 1);
    const notices: string[] = [];
    let worked = false;
    expect(await make('out', { onNotice: (text) => notices.push(text), onProgress: () => (worked = true) })).toEqual(first);
    expect([notices, worked]).toEqual([[expect.stringMatching(/out is already made from these inputs with these options: nothing to do/)], false]);
    expect(await fingerprint('out')).toEqual(before);
    await expect(make('out', { validation: 140 })).rejects.toThrow(/must be a new or empty folder, got another data set; choose another or replace it \(--force\)/);
    await appendFile(join(dir, 'out', 'shard-00000.bin'), 'x');
    await expect(make('out')).rejects.toThrow(/shard-00000\.bin is damaged: .*; run `ldlm prepare --force` again/);
  });
});

describe('validation and duplicates', () => {
  const letters = ['a', 'b b', '', 'c', 'a', 'd d d', 'b b', 'e'];
  it.each(['wrap', 'pad'] as const)('the last documents become a data set of their own, and duplicates are left out (%s)', async (packing) => {
    const input = join(dir, 'in.txt');
    await writeFile(input, letters.join('\n'));
    const options = { inputs: [input], packing, length: packing === 'wrap' ? 1 : 2, validation: 2, rowsPerShard: 2 };
    const manifest = await make('out', options);
    expect(manifest).toMatchObject({ documents: 3, empty: 1, duplicates: 2, split: 'train', source: { dedup: 'exact', validation: 2 } });
    await using train = await openShards(join(dir, 'out'), { verify: true });
    await using held = await openShards(join(dir, 'out', 'validation'), { verify: true });
    expect(held.manifest).toMatchObject({ documents: 2, split: 'validation' });
    const text = async ({ rows, read }: { rows: number; read: (rows: Uint32Array) => Promise<{ ids: Int32Array }> }) =>
      tokenizer.decode((await read(Uint32Array.from({ length: rows }, (_, i) => i))).ids, { keepSpecialTokens: true });
    const texts = [await text({ rows: train.rows, read: (rows) => train.read(rows) }), await text({ rows: held.rows, read: (rows) => held.read(rows) })];
    const end = '<|endoftext|>';
    // `b b` and `d d d` have more tokens than a row of 'pad'.
    expect(texts).toEqual(packing === 'wrap' ? [`a${end}b b${end}c${end}`, `d d d${end}e${end}`] : [`a${end}b bc${end}`, `d de${end}`]);
    await expect(make('other', { ...options, validation: 5 })).rejects.toThrow(/validation must be fewer than the documents of the input \(5\), got 5/);
    expect(await readdir(dir)).toEqual(['in.txt', 'out']);
  });

  it('an exact set knows what it has seen while it grows', () => {
    const set = new ExactSet();
    const digests = Array.from({ length: 200_000 }, (_, i) => ExactSet.digest(`${i}`));
    expect(digests.every((digest) => set.add(digest))).toBe(true);
    expect(digests.some((digest) => set.add(digest))).toBe(false);
  });
});
