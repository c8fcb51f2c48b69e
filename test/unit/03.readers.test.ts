import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readLines } from '../../src/data/lines.js';
import { readDocuments } from '../../src/data/readers.js';

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
