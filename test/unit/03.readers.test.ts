import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { detokenizers } from '../../src/data/detokenize.js';
import { listInputs } from '../../src/data/inputs.js';
import { readLines } from '../../src/data/lines.js';
import { readDocuments, type Document, type ReadOptions } from '../../src/data/readers.js';

// A table of 4 rows in row groups of 2, written by pyarrow 26: id int64; text; body (null in the second row).
const parquet = {
  zstd: 'UEFSMRUEFSAVMkwVBBUAEgAAKLUv/SAQgQAAAQAAAAAAAAACAAAAAAAAABUAFRIVJCwVBBUQFQYVBhwAAAAotS/9IAlJAAACAAAABAEBAwIVBBU+FVBMFQQVABIAACi1L/0gH/kAABAAAABBbm5hIGhhcyBhIGJhbGwuBwAAAEdyw7zDn2UVABUSFSQsFQQVEBUGFQYcAAAAKLUv/SAJSQAAAgAAAAQBAQMCFQQVChUcTBUCFQASAAAotS/9IAUpAAABAAAAYRUAFRIVJCwVBBUQFQYVBhwAAAAotS/9IAlJAAACAAAAAwEBAgAVBBUgFTJMFQQVABIAACi1L/0gEIEAAAMAAAAAAAAABAAAAAAAAAAVABUSFSQsFQQVEBUGFQYcAAAAKLUv/SAJSQAAAgAAAAQBAQMCFQQVIhU0TBUEFQASAAAotS/9IBGJAAAAAAAACQAAAEJlbiBydW5zLhUAFRIVJCwVBBUQFQYVBhwAAAAotS/9IAlJAAACAAAABAEBAwIVBBUUFSZMFQQVABIAACi1L/0gClEAAAEAAABjAQAAAGQVABUSFSQsFQQVEBUGFQYcAAAAKLUv/SAJSQAAAgAAAAQBAQMCFQQZTDUAGAZzY2hlbWEVBgAVBCUCGAJpZAAVDCUCGAR0ZXh0JQBMHAAAABUMJQIYBGJvZHklAEwcAAAAFggZLBk8JgAcFQQZNQAGEBkYAmlkFQwWBBZ0FpgBJlYmCCksFQQVABUCABUAFRAVAgA8KQYZJgAEAAAAJgAcFQwZNQAGEBkYBHRleHQVDBYEFpIBFrYBJowCJqABKSwVBBUAFQIAFQAVEBUCADwWLhkGGSYABAAAACYAHBUMGTUABhAZGARib2R5FQwWBBZeFoIBJo4DJtYCKSwVBBUAFQIAFQAVEBUCADwWAhkGGSYCAgAAABbkAhYEJggW0AMAGTwmABwVBBk1AAYQGRgCaWQVDBYEFnQWmAEmpgQm2AMpLBUEFQAVAgAVABUQFQIAPCkGGSYABAAAACYAHBUMGTUABhAZGAR0ZXh0FQwWBBZ2FpoBJsAFJvAEKSwVBBUAFQIAFQAVEBUCADwWEhkGGSYABAAAACYAHBUMGTUABhAZGARib2R5FQwWBBZoFowBJswGJooGKSwVBBUAFQIAFQAVEBUCADwWBBkGGSYABAAAABbSAhYEJtgDFr4DACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZPBwAABwAABwAAADoAQAAUEFSMQ==',
  snappy: 'UEFSMRUEFSAVJEwVBBUAEgAAEDwBAAAAAAAAAAIAAAAAAAAAFQAVEhUWLBUEFRAVBhUGHAAAAAkgAgAAAAQBAQMCFQQVPhVCTBUEFQASAAAfeBAAAABBbm5hIGhhcyBhIGJhbGwuBwAAAEdyw7zDn2UVABUSFRYsFQQVEBUGFQYcAAAACSACAAAABAEBAwIVBBUKFQ5MFQIVABIAAAUQAQAAAGEVABUSFRYsFQQVEBUGFQYcAAAACSACAAAAAwEBAgAVBBUgFSRMFQQVABIAABA8AwAAAAAAAAAEAAAAAAAAABUAFRIVFiwVBBUQFQYVBhwAAAAJIAIAAAAEAQEDAhUEFSIVJkwVBBUAEgAAEUAAAAAACQAAAEJlbiBydW5zLhUAFRIVFiwVBBUQFQYVBhwAAAAJIAIAAAAEAQEDAhUEFRQVGEwVBBUAEgAACiQBAAAAYwEAAABkFQAVEhUWLBUEFRAVBhUGHAAAAAkgAgAAAAQBAQMCFQQZTDUAGAZzY2hlbWEVBgAVBCUCGAJpZAAVDCUCGAR0ZXh0JQBMHAAAABUMJQIYBGJvZHklAEwcAAAAFggZLBk8JgAcFQQZNQAGEBkYAmlkFQIWBBZ0FnwmSCYIKSwVBBUAFQIAFQAVEBUCADwpBhkmAAQAAAAmABwVDBk1AAYQGRgEdGV4dBUCFgQWkgEWmgEm4gEmhAEpLBUEFQAVAgAVABUQFQIAPBYuGQYZJgAEAAAAJgAcFQwZNQAGEBkYBGJvZHkVAhYEFl4WZibIAiaeAiksFQQVABUCABUAFRAVAgA8FgIZBhkmAgIAAAAW5AIWBCYIFvwCABk8JgAcFQQZNQAGEBkYAmlkFQIWBBZ0FnwmxAMmhAMpLBUEFQAVAgAVABUQFQIAPCkGGSYABAAAACYAHBUMGTUABhAZGAR0ZXh0FQIWBBZ2Fn4mwgQmgAQpLBUEFQAVAgAVABUQFQIAPBYSGQYZJgAEAAAAJgAcFQwZNQAGEBkYBGJvZHkVAhYEFmgWcCayBSb+BCksFQQVABUCABUAFRAVAgA8FgQZBhkmAAQAAAAW0gIWBCaEAxbqAgAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGTwcAAAcAAAcAAAA4wEAAFBBUjE=',
};

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'ldlm-readers-')), name);
  await writeFile(path, content);
  return path;
}

async function texts(path: string, column?: string): Promise<string[]> {
  const all: string[] = [];
  for await (const { text } of readDocuments(path, column === undefined ? {} : { column })) if (text !== '') all.push(text);
  return all;
}

describe('txt', () => {
  it('gives a document for each line that is not blank, with either line end and without the last one', async () => {
    expect(await texts(await file('a.txt', '\n one \r\n\n \t\ntwo\nGrüße 👋'))).toEqual([' one ', 'two', 'Grüße 👋']);
  });

  it('gives lines that span the chunks it reads, and counts all bytes', async () => {
    // Characters of 2 bytes at odd places: chunks end inside a character.
    const lines = Array.from({ length: 400 }, (_, i) => `a${'é'.repeat(i * 23)}`);
    const path = await file('long.txt', lines.join('\n'));
    let bytes = 0;
    const read: string[] = [];
    for await (const line of readLines(path)) {
      expect(line.number).toBe(read.length + 1);
      bytes += line.bytes;
      read.push(line.text);
    }
    expect(read).toEqual(lines);
    expect(bytes).toBe(Buffer.byteLength(lines.join('\n')));
  });

  it.each([
    ['an empty file', '', /at least one document, got none/],
    ['a blank file', ' \n\n\t\n', /at least one document, got none/],
    ['a NUL byte', 'one\ntwo\0\n', /a\.txt:2 must be text, got a NUL byte/],
    ['bytes that are not UTF-8', Uint8Array.from([0x61, 0x0a, 0xff, 0xfe, 0x0a]), /a\.txt:2 must be UTF-8 text/],
  ])('refuses %s, naming the file and line', async (_, content, message) => {
    await expect(texts(await file('a.txt', content))).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(message) });
  });

  it('refuses a line over the limit without reading all of it, and takes one at the limit', async () => {
    const path = await file('a.txt', `${'x'.repeat(1000)}\n${'y'.repeat(1001)}\nz`);
    const read: number[] = [];
    const run = async () => {
      for await (const line of readLines(path, { limit: 1000 })) read.push(line.bytes);
    };
    await expect(run()).rejects.toThrow(/a\.txt:2 must be a line of at most 1000 bytes/);
    expect(read).toEqual([1001]);
  });

  it('refuses a missing file and a folder', async () => {
    await expect(texts('no-such-file.txt')).rejects.toThrow(/no-such-file\.txt must be a readable file, got: there is no such file/);
    await expect(texts(tmpdir())).rejects.toMatchObject({ code: 'ERR_LDLM_IO' });
  });
});

describe('jsonl', () => {
  it('takes the text of the given column, and leaves out blank lines and empty texts', async () => {
    const path = await file('a.jsonl', '{"text":"one","body":"A\\nB"}\n\n{"body":"C","text":""}\n');
    expect(await texts(path)).toEqual(['one']);
    expect(await texts(path, 'body')).toEqual(['A\nB', 'C']);
  });

  it.each([
    ['{"text":"a"}\n{"txt":1,"id":2}', /a\.jsonl:2 must have the column 'text', got the columns txt, id/],
    ['{"text":"a"}\n{"text":', /a\.jsonl:2 must be JSON/],
    ['["text"]', /a\.jsonl:1 must be a JSON object/],
    ['{"text":null}', /a\.jsonl:1 must hold text in the column 'text', got null/],
  ])('refuses %j, naming the file and line', async (content, message) => {
    await expect(texts(await file('a.jsonl', content))).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(message) });
  });
});

describe('parquet', () => {
  it.each(Object.entries(parquet))('reads a text column over row groups (%s)', async (_, base64) => {
    expect(await texts(await file('a.parquet', Buffer.from(base64, 'base64')))).toEqual(['Anna has a ball.', 'Grüße', 'Ben runs.']);
  });

  it('counts at most the bytes of the file', async () => {
    const content = Buffer.from(parquet.snappy, 'base64');
    let bytes = 0;
    for await (const document of readDocuments(await file('a.parquet', content))) bytes += document.bytes;
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(content.length);
  });

  it.each([
    ['missing', /must have the column 'missing', got the columns id, text, body/],
    ['body', /row 2 must hold text in the column 'body', got null/],
    ['id', /row 1 must hold text in the column 'id', got bigint/],
  ])('refuses the column %s', async (column, message) => {
    const path = await file('a.parquet', Buffer.from(parquet.zstd, 'base64'));
    await expect(texts(path, column)).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(message) });
  });

  it('refuses what is no parquet, or only a part of one', async () => {
    await expect(texts(await file('a.parquet', 'not a table at all'))).rejects.toThrow(/a\.parquet must be a whole parquet file, got: its footer/);
    const half = Buffer.from(parquet.zstd, 'base64').subarray(0, 400);
    await expect(texts(await file('b.parquet', half))).rejects.toMatchObject({ code: 'ERR_LDLM_IO' });
  });
});

async function documents(path: string, options: ReadOptions = {}): Promise<Document[]> {
  const all: Document[] = [];
  for await (const document of readDocuments(path, options)) all.push(document);
  return all;
}

/** A parquet file with all rows in one row group, in many pages. */
function parquetOf(rows: (string | null | Uint8Array)[]): Uint8Array {
  const writer = new ByteWriter();
  parquetWrite({ writer, columnData: [{ name: 'text', data: rows, type: rows[0] instanceof Uint8Array ? 'BYTE_ARRAY' : 'STRING' }], rowGroupSize: 1e9, pageSize: 1000 });
  return new Uint8Array(writer.getBuffer());
}

describe('compressed files', () => {
  // "one\ntwo\nthree" by `zstd -19 --check`, and by `zstd` in two frames.
  const zst = 'KLUv/QRoaQAAb25lCnR3bwp0aHJlZbB8e2M=';
  it('give the lines of the text, also of several members, and count at most the bytes of the file', async () => {
    const content = Buffer.concat([gzipSync('one\ntw'), gzipSync('o\nthree')]);
    const read = await documents(await file('a.txt.gz', content));
    expect(read.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    expect(read.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(content.length + 1e-6);
    expect(await texts(await file('a.jsonl.gz', gzipSync('{"text":"a"}\n{"text":"b"}')))).toEqual(['a', 'b']);
    expect(await texts(await file('a.txt.zst', Buffer.from(zst, 'base64')))).toEqual(['one', 'two', 'three']);
  });

  it.each([
    ['a.txt.gz', gzipSync('x'.repeat(9999)).subarray(0, 30), /a\.txt\.gz must be a whole \.gz file, got: unexpected end of file at byte 30/],
    ['b.txt.gz', Buffer.from('no gzip at all'), /b\.txt\.gz must be a whole \.gz file, got: incorrect header check/],
    ['c.txt.zst', Buffer.from(zst, 'base64').subarray(0, 14), /c\.txt\.zst must be a whole \.zst file, got: unexpected EOF at byte 14/],
    ['d.txt.zst', Buffer.from('no zstd at all, but long'), /d\.txt\.zst must be a whole \.zst file, got: invalid zstd data/],
  ])('refuse %s when it is cut off or damaged, with the byte', async (name, content, message) => {
    await expect(texts(await file(name, content))).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringMatching(message) });
  });
});

describe('reading from a place on', () => {
  const lines = Array.from({ length: 40 }, (_, i) => (i % 7 === 3 ? '' : `Grüße ${'é'.repeat(i)} ${i}`));
  it.each([
    ['a.txt', lines.join('\n')],
    ['a.txt.gz', gzipSync(lines.join('\r\n'))],
    ['a.jsonl', lines.map((text) => JSON.stringify({ text })).join('\n')],
    ['a.parquet', parquetOf(lines)],
  ])('gives the rest of %s', async (name, content) => {
    const path = await file(name, content);
    const all = await documents(path);
    expect(all.map(({ text }) => text)).toEqual(lines);
    for (const index of [0, 3, 17, 39]) {
      const rest = await documents(path, { from: all[index]!.next });
      expect(rest.map(({ text, next }) => ({ text, next }))).toEqual(all.slice(index + 1).map(({ text, next }) => ({ text, next })));
    }
  });
});

describe('bytes that are no text', () => {
  const broken = Buffer.concat([Buffer.from('ok\nbad '), Buffer.of(0xff), Buffer.from('\nzero \0\n')]);
  it('are replaced and marked when asked for, in every format', async () => {
    const replaced = [['ok', false], ['bad \ufffd', true], ['zero \ufffd', true]];
    const read = async (name: string, content: Uint8Array | string) =>
      (await documents(await file(name, content), { invalidUtf8: 'replace' })).map(({ text, repaired }) => [text, repaired]);
    expect(await read('a.txt', broken)).toEqual(replaced);
    expect(await read('a.parquet', parquetOf(broken.toString('latin1').trimEnd().split('\n').map((line) => Buffer.from(line, 'latin1'))))).toEqual(replaced);
    expect(await read('a.jsonl', String.raw`{"text":"half \ud83d"}`)).toEqual([['half \ufffd', true]]);
  });

  it('stop the reader with their place otherwise', async () => {
    await expect(texts(await file('a.jsonl', String.raw`{"text":"half \ud83d"}`))).rejects.toThrow(/a\.jsonl:1 must be UTF-8 text, got half of a surrogate pair/);
    await expect(texts(await file('a.parquet', parquetOf([Buffer.from('ok'), Buffer.of(0xff)])))).rejects.toThrow(/a\.parquet: row 2 must be UTF-8 text/);
  });

  it('do not include a byte order mark, which is left out', async () => {
    expect(await texts(await file('a.txt', '\ufeffone\ntwo'))).toEqual(['one', 'two']);
  });
});

describe('a damaged parquet file', () => {
  const rows = Array.from({ length: 200 }, (_, i) => `row ${i} ${createHash('sha256').update(`${i}`).digest('hex')}`);
  it('is read in pages of one row group, and refused at the page that is damaged, after the rows before it', async () => {
    const content = parquetOf(rows);
    expect(await texts(await file('a.parquet', content))).toEqual(rows);
    const damaged = Buffer.from(content).fill(0xff, 6000, 9000);
    let read = 0;
    const run = async () => {
      for await (const _ of readDocuments(await file('b.parquet', damaged), { invalidUtf8: 'replace' })) read++;
    };
    await expect(run()).rejects.toThrow(/b\.parquet must be a whole parquet file, got: the page at byte \d+ .* cannot be read/);
    expect(read).toBeGreaterThan(10);
    await expect(texts(await file('c.parquet', content.subarray(0, -1)))).rejects.toThrow(/c\.parquet must be a whole parquet file, got: its footer/);
  });
});

describe('listInputs', () => {
  it('takes files, folders and globs in order, by name within each, every file once', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'ldlm-inputs-'));
    await mkdir(join(dir, 'sub'));
    for (const name of ['b.txt', 'a.jsonl.gz', 'sub/c.parquet', 'readme.md', 'z[1].txt', 'part-2', 'part-10']) await writeFile(join(dir, name), 'x');
    const names = async (...inputs: string[]) => (await listInputs(inputs)).map(({ path }) => path.slice(dir.length + 1));
    expect(await names(dir)).toEqual(['a.jsonl.gz', 'b.txt', 'sub/c.parquet', 'z[1].txt']);
    expect(await names(join(dir, 'part-*'), join(dir, 'b.txt'))).toEqual(['part-10', 'part-2', 'b.txt']);
    expect(await names(join(dir, 'b.txt'), dir)).toEqual(['b.txt', 'a.jsonl.gz', 'sub/c.parquet', 'z[1].txt']);
    expect(await names(join(dir, 'z[1].txt'))).toEqual(['z[1].txt']);
    await expect(names(join(dir, '*.csv'))).rejects.toThrow(/\*\.csv must be a pattern that matches a file, got none/);
    await expect(names(await mkdtemp(join(tmpdir(), 'ldlm-inputs-')))).rejects.toThrow(/must be a folder with \.txt, \.jsonl or \.parquet files, got none/);
    expect(basename(dir)).toMatch(/^ldlm-inputs-/);
  });
});

describe('the LM1B detokenizer', () => {
  // Computed with the published Python function of MDLM.
  it.each([
    ["It 's 5 p.m. , he said .", "It's 5 p.m., he said."],
    ['" We do n\'t know , " she said : " why ? "', '"We do n\'t know," she said: "why?"'],
    ['See http : / / www.a.com / b ( or not ) !', 'See http://www.a.com/b (or not)!'],
    ['It cost $ 5 , or £ 4 [ sic ] .', 'It cost $5, or £4 [sic] .'],
    ['Café . Ünder \'quoted words \' ; end .', "Café . Ünder'quoted words '; end."],
  ])('turns %j into text', async (sentence, text) => {
    expect(detokenizers.lm1b(sentence)).toBe(text);
    expect((await documents(await file('a.txt', sentence), { detokenize: 'lm1b' }))[0]!.text).toBe(text);
  });
});
