import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../src/data/lock.js';
import { PadPacker, WrapPacker } from '../../src/data/packing.js';
import { cutIntoPieces } from '../../src/data/pieces.js';
import { prepare, type PrepareOptions, type PrepareProgress } from '../../src/data/prepare.js';
import type { ShardWriter } from '../../src/data/shard_writer.js';
import { openShards } from '../../src/data/shards.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { trainByteLevelBpe, trainWordLevel } from '../../src/data/tokenizer_training.js';

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

let tokenizer: Tokenizer;
let dir: string;
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ldlm-words-'));
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(await trainWordLevel(['a b c d e f g h'], { maxVocabulary: 20 })));
  tokenizer = await Tokenizer.load(folder);
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ldlm-prepare-'));
});

/** Prepares `lines` and gives all rows, decoded with the end token visible. */
async function prepareLines(lines: string[], options: Partial<PrepareOptions>) {
  const input = join(dir, 'in.txt');
  await writeFile(input, lines.join('\n'));
  const out = join(dir, 'out');
  const manifest = await prepare({ inputs: [input], tokenizer, length: 4, packing: 'wrap', out, ...options });
  await using shards = await openShards(out, { verify: true });
  const { ids, lengths } = await shards.read(Uint32Array.from({ length: shards.rows }, (_, i) => i));
  const rows = await tokenizer.decodeBatch(
    Array.from({ length: shards.rows }, (_, i) => ids.subarray(i * shards.length, (i + 1) * shards.length)),
    { keepSpecialTokens: true },
  );
  return { manifest, rows: rows.map((row) => row.replaceAll('<|endoftext|>', '/').replaceAll(' ', '')), lengths: [...lengths], out };
}

describe('prepare', () => {
  it('wrap: joins documents by the end token, cuts every L tokens and counts what does not fill a row', async () => {
    const { manifest, rows, lengths } = await prepareLines(['a b c', '', 'd e f g h', 'a'], {});
    expect(rows).toEqual(['abc/', 'defg', 'h/a/']);
    expect(lengths).toEqual([4, 4, 4]);
    expect(manifest).toMatchObject({ rows: 3, tokens: 12, realTokens: 12, droppedTokens: 0, documents: 3, truncated: 0, dtype: 'uint16', vocabulary: 10 });
    expect((await prepareLines(['a b c d e'], { replace: true })).manifest).toMatchObject({ rows: 1, droppedTokens: 2 });
  });

  it('pad: gives each document a row, the end token and its real length, and counts what it cuts', async () => {
    const { manifest, rows, lengths } = await prepareLines(['a b', 'c d e', 'a b c d e f', 'h'], { packing: 'pad' });
    // The tokenizer has no padding token, so the end token fills up.
    expect(rows).toEqual(['ab//', 'cde/', 'abcd', 'h///']);
    expect(lengths).toEqual([3, 4, 4, 2]);
    expect(manifest).toMatchObject({ rows: 4, tokens: 16, realTokens: 13, droppedTokens: 3, documents: 4, truncated: 1 });
  });

  it('keeps rows in order over shard files, and hashes everything that it names', async () => {
    const lines = Array.from({ length: 10 }, (_, i) => 'abcdefgh'[i % 8]!);
    const { manifest, rows, out } = await prepareLines(lines, { packing: 'pad', length: 2, rowsPerShard: 4 });
    expect(rows).toEqual(lines.map((letter) => `${letter}/`));
    expect(manifest.shards.map((shard) => shard.rows)).toEqual([4, 4, 2]);
    for (const { file, sha256: hash, lengths } of manifest.shards) {
      expect(sha256(await readFile(join(out, file)))).toBe(hash);
      expect(sha256(await readFile(join(out, lengths!.file)))).toBe(lengths!.sha256);
    }
    expect(manifest.inputs).toEqual([{ name: 'in.txt', bytes: 19, sha256: sha256(lines.join('\n')) }]);
    expect(manifest.tokenizer).toEqual({ kind: tokenizer.kind, version: tokenizer.version, sha256: sha256(await readFile(join(out, 'tokenizer.json'))) });
    expect((await readdir(out)).length).toBe(9);
  });

  it('reads several files in order and reports progress up to the last byte', async () => {
    await writeFile(join(dir, 'b.jsonl'), '{"x":"c d"}\n');
    await writeFile(join(dir, 'a.txt'), 'a b\n\n\n');
    const seen: PrepareProgress[] = [];
    const inputs = [join(dir, 'a.txt'), join(dir, 'b.jsonl')];
    const manifest = await prepare({ inputs, tokenizer, length: 3, packing: 'wrap', out: join(dir, 'o'), column: 'x', onProgress: (p) => seen.push(p) });
    expect(manifest.inputs.map((input) => input.name)).toEqual(['a.txt', 'b.jsonl']);
    expect(seen.at(-1)).toEqual({ bytes: 18, totalBytes: 18, documents: 2, rows: 2, realTokens: 6 });
    expect(seen.map((p) => p.bytes)).toEqual(seen.map((p) => p.bytes).sort((a, b) => a - b));
  });

  it('writes 4-byte ids when the vocabulary needs them', async () => {
    const wide = join(dir, 'wide.json');
    const json = await trainWordLevel(['a'], { maxVocabulary: 9 });
    (json['model'] as { vocab: Record<string, number> }).vocab['\u2581z'] = 70_000;
    await writeFile(wide, JSON.stringify(json));
    await writeFile(join(dir, 'in.txt'), 'a z a');
    const out = join(dir, 'out');
    const manifest = await prepare({ inputs: [join(dir, 'in.txt')], tokenizer: await Tokenizer.load(wide), length: 4, packing: 'wrap', out });
    expect(manifest).toMatchObject({ dtype: 'uint32', vocabulary: 70_001 });
    await using shards = await openShards(out);
    expect([...(await shards.read(Uint32Array.of(0))).ids]).toEqual([2, 70_000, 2, 0]);
  });

  it('leaves nothing behind when the input is bad, too small, or the work is stopped', async () => {
    const input = join(dir, 'in.txt');
    const options = { inputs: [input], tokenizer, length: 4, packing: 'wrap' as const, out: join(dir, 'out') };
    await writeFile(input, 'a b c d e\n\xff\0');
    await expect(prepare(options)).rejects.toMatchObject({ code: 'ERR_LDLM_IO' });
    await writeFile(input, 'a b');
    await expect(prepare(options)).rejects.toThrow(/must fill at least one row of 4 tokens, got 3 tokens/);
    await expect(prepare({ ...options, packing: 'pad', signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_LDLM_ABORTED' });
    await expect(prepare({ ...options, length: 0 })).rejects.toThrow('length must be a whole number in 1..65535, got 0');
    await expect(prepare({ ...options, inputs: [] })).rejects.toThrow(/inputs must name at least one file/);
    expect(await readdir(dir)).toEqual(['in.txt']);
  });

  it('replaces a data set only when told to, and never another folder', async () => {
    await prepareLines(['a b c'], {});
    await expect(prepareLines(['d e f'], {})).rejects.toThrow(/must be a new or empty folder/);
    expect((await prepareLines(['d e f'], { replace: true })).rows).toEqual(['def/']);
    await mkdir(join(dir, 'mine'));
    await writeFile(join(dir, 'mine', 'letter.txt'), 'dear');
    await expect(prepareLines(['a b c'], { replace: true, out: join(dir, 'mine') })).rejects.toThrow(/must be a data set/);
    expect((await readdir(dir)).sort()).toEqual(['in.txt', 'mine', 'out']);
  });

  it('leaves alone what somebody else keeps where the unfinished data set would be', async () => {
    const theirs = join(dir, 'out.partial');
    await mkdir(theirs);
    await writeFile(join(theirs, 'thesis.txt'), 'x');
    await expect(prepareLines(['a b c d'], {})).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(/out\.partial must be free .* other files in it \(thesis\.txt\)/) });
    expect(await readdir(theirs)).toEqual(['thesis.txt']);
  });

  it('byte-level BPE: any text comes back from the shards byte for byte', async () => {
    let state = 1;
    const random = (below: number) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % below;
    // Of all planes, spaces and punctuation among them; no line ends, which end a document, and no halves of pairs.
    const character = () => (random(3) === 0 ? ' .,\'s"\t\u00a0\u3000'[random(10)] : String.fromCodePoint([0x20, 0xc0, 0x900, 0x4e00, 0x1f300][random(5)]! + random(90))) ?? '_';
    const lines = Array.from({ length: 60 }, () => `x${Array.from({ length: random(300) }, character).join('')}`);
    const json = join(dir, 'bpe.json');
    await writeFile(json, JSON.stringify(await trainByteLevelBpe(lines.slice(0, 20), { vocabulary: 500 })));
    const bpe = await Tokenizer.load(json);
    await writeFile(join(dir, 'in.txt'), lines.join('\n'));
    await prepare({ inputs: [join(dir, 'in.txt')], tokenizer: bpe, length: 1, packing: 'wrap', out: join(dir, 'out') });
    await using shards = await openShards(join(dir, 'out'));
    const { ids } = await shards.read(Uint32Array.from({ length: shards.rows }, (_, i) => i));
    expect((await bpe.decode(ids, { keepSpecialTokens: true })).split('<|endoftext|>').slice(0, -1)).toEqual(lines);
  });

  it('tokenizes a document in pieces to the tokens of the whole', async () => {
    const text = `${'It\'s  a long-winded   text, with 1234 numbers\n\nand — gaps. '.repeat(40)}${'x'.repeat(300)} end`;
    const json = join(dir, 'bpe.json');
    await writeFile(json, JSON.stringify(await trainByteLevelBpe([text], { vocabulary: 300 })));
    const bpe = await Tokenizer.load(json);
    const pieces = [...cutIntoPieces(text, 64)];
    expect(pieces.length).toBeGreaterThan(20);
    expect(pieces.join('')).toBe(text);
    const cleanlyCut = text.slice(0, text.indexOf('xxx')); // the long word is cut anywhere
    const cut = [...cutIntoPieces(cleanlyCut, 64)];
    expect((await bpe.encodeBatch(cut)).flat()).toEqual(await bpe.encode(cleanlyCut));
    expect([...cutIntoPieces('😀'.repeat(5), 3)].every((piece) => Buffer.from(piece).toString() === piece)).toBe(true);
  });
});

describe('packers', () => {
  /** Rows, one after another, of a stream that goes into no file. */
  function stream() {
    const written: number[] = [];
    const tokens = (content: number | readonly number[]) => new Uint16Array(content as number);
    const writer = { tokens, beginDocument: (length: number) => written.push(-length), append: async (ids: Uint16Array) => void written.push(...ids) };
    return { written, writer: writer as unknown as ShardWriter, counts: { realTokens: 0, truncated: 0, dropped: 0 } };
  }

  it('give the same stream for a document in pieces as for the whole', async () => {
    const documents = [[1, 2, 3], [], [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5], [4]].map((ids) => Uint16Array.from(ids));
    for (const create of [({ writer, counts }: ReturnType<typeof stream>) => new WrapPacker(writer, 9, counts), ({ writer, counts }: ReturnType<typeof stream>) => new PadPacker(writer, 5, 9, 0, counts)]) {
      const [whole, pieces] = [stream(), stream()];
      const [first, second] = [create(whole), create(pieces)];
      for (const ids of documents) {
        await first.add(ids, true);
        await second.add(ids.subarray(0, 2), false);
        await second.add(ids.subarray(2, 6), false);
        await second.add(ids.subarray(6), true);
      }
      expect(pieces.written).toEqual(whole.written);
      expect(pieces.counts).toEqual(whole.counts);
    }
  });
});

describe('openShards', () => {
  it('reads the same rows from memory and from the files, in any order, with repeats', async () => {
    const { out } = await prepareLines(Array.from({ length: 50 }, (_, i) => `a ${'abcdefgh'[i % 8]}`), { packing: 'pad', rowsPerShard: 7 });
    await using memory = await openShards(out);
    await using files = await openShards(out, { inMemoryBytes: 0 });
    const wanted = Uint32Array.of(49, 0, 13, 14, 6, 7, 13);
    expect(await files.read(wanted)).toEqual(await memory.read(wanted));
    expect((await memory.read(new Uint32Array(0))).ids.length).toBe(0);
    await expect(memory.read(Uint32Array.of(50))).rejects.toThrow('a row must be in 0..49, got 50');
  });

  it('refuses to read after dispose, which may be called twice', async () => {
    const { out } = await prepareLines(['a b c'], {});
    for (const inMemoryBytes of [0, 1e6]) {
      const shards = await openShards(out, { inMemoryBytes });
      await shards.dispose();
      await shards.dispose();
      await expect(shards.read(Uint32Array.of(0))).rejects.toMatchObject({ code: 'ERR_LDLM_STATE' });
    }
  });

  it('notices damage: a short file, other bytes, ids outside the vocabulary, a lying manifest', async () => {
    const { out, manifest } = await prepareLines(['a b c', 'd e f'], { packing: 'pad' });
    const shard = join(out, 'shard-00000.bin');
    const bytes = await readFile(shard);
    await writeFile(shard, Buffer.from(bytes).fill(3, 0, 1));
    await expect(openShards(out)).rejects.toThrow(/is damaged: its SHA-256 must be .*; run `ldlm prepare --force` again/);
    await (await openShards(out, { verify: false })).dispose();
    await utimes(shard, 1, 1); // an old file is believed
    await (await openShards(out)).dispose();
    await expect(openShards(out, { verify: true })).rejects.toThrow(/is damaged: its SHA-256 must be/);
    await writeFile(shard, Buffer.from(bytes).fill(0xff, 0, 2));
    await using damaged = await openShards(out, { verify: false });
    await expect(damaged.read(Uint32Array.of(0))).rejects.toThrow(/every id must be below the vocabulary of 10, got 65535/);
    await truncate(shard, 15);
    await expect(openShards(out, { verify: false })).rejects.toThrow(/must have 16 bytes, as its manifest says, got 15/);
    await rm(shard);
    await expect(openShards(out)).rejects.toThrow(/shard-00000\.bin must be a readable file/);

    const lies: [object | string, RegExp][] = [
      [{ ...manifest, rows: 3 }, /rows must be the sum over its shards \(2\), got 3/],
      [{ ...manifest, formatVersion: 2 }, /formatVersion/],
      [{ ...manifest, shards: [{ ...manifest.shards[0], file: '../shard-00000.bin' }] }, /shards\[0\]\.file/],
      ['{', /must hold JSON/],
    ];
    for (const [lie, message] of lies) {
      await writeFile(join(out, 'manifest.json'), typeof lie === 'string' ? lie : JSON.stringify(lie));
      await expect(openShards(out)).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(message) });
    }
    await expect(openShards(join(dir, 'nowhere'))).rejects.toThrow(/made by `ldlm prepare`/);
  });
});

describe('lockFolder', () => {
  const foreign = (owner: object) => writeFile(join(dir, '.lock'), JSON.stringify({ host: hostname(), started: null, ...owner }));

  it('lets one holder in at a time', async () => {
    const lock = await lockFolder(join(dir, 'new'));
    await expect(lockFolder(join(dir, 'new'))).rejects.toMatchObject({
      code: 'ERR_LDLM_STATE',
      message: expect.stringMatching(new RegExp(`one process at a time, got a lock of process ${process.pid} on`)),
    });
    await lock[Symbol.asyncDispose]();
    await using next = await lockFolder(join(dir, 'new'));
    await lock[Symbol.asyncDispose](); // a second dispose must not release the lock of another
    expect(await readdir(join(dir, 'new'))).toEqual([basename(next.file)]);
  });

  it('takes over the lock of a process that has ended, and of one whose number has a new owner', async () => {
    const { child } = promisify(execFile)(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.on('exit', resolve));
    await foreign({ pid: child.pid });
    await writeFile(join(dir, `.lock.${child.pid}`), ''); // killed while it took over the lock of another
    await (await lockFolder(dir))[Symbol.asyncDispose]();
    expect(await readdir(dir)).toEqual([]);
    if (process.platform !== 'linux') return; // only there the start time is known
    await foreign({ pid: process.pid, started: '1' });
    await (await lockFolder(dir))[Symbol.asyncDispose]();
    expect(await readdir(dir)).toEqual([]);
  });

  it('respects a living process and another machine', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    try {
      await foreign({ pid: child.pid });
      await expect(lockFolder(dir)).rejects.toMatchObject({ code: 'ERR_LDLM_STATE' });
    } finally {
      child.kill('SIGKILL');
    }
    await foreign({ pid: 1, host: 'elsewhere' });
    await expect(lockFolder(dir)).rejects.toThrow(/process 1 on elsewhere; wait for it, use another folder, or delete/);
  });

  it('waits for the name in a lock that is just being written, and takes over one that stays empty', async () => {
    const file = join(dir, '.lock');
    await writeFile(file, '');
    const refused = expect(lockFolder(dir)).rejects.toThrow(/lock of process 1 on elsewhere/);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await foreign({ pid: 1, host: 'elsewhere' });
    await refused;
    await writeFile(file, ''); // its owner was killed before it wrote its name
    const start = Date.now();
    await (await lockFolder(dir))[Symbol.asyncDispose]();
    expect(Date.now() - start).toBeGreaterThan(2400);
    expect(await readdir(dir)).toEqual([]);
  });

  it('gives a dead lock to exactly one of many that ask at once', async () => {
    await foreign({ pid: 2 ** 30 });
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(dir)));
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(await readdir(dir)).toEqual(['.lock']);
  });
});
