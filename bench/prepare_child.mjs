// One turn of bench/prepare.mjs in a process of its own; answers on stdout with bytes, seconds, seconds of CPU and peak memory. Loading the
// tokenizer is not counted on either side.

import { mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { prepare } from '../dist/data/prepare.js';
import { Tokenizer } from '../dist/data/tokenizer.js';

const [what, text, tokenizerFolder, ...rest] = process.argv.slice(2);

/** The first `bytes` bytes of the text, cut at a line. */
function head(bytes) {
  const buffer = Buffer.alloc(bytes);
  const length = readSync(openSync(text, 'r'), buffer);
  return buffer.toString('utf8', 0, buffer.lastIndexOf(10, length - 1) + 1);
}

async function measure(bytes, work) {
  const used = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(used);
  return { bytes, seconds, cpuSeconds: (user + system) / 1e6, peakRssMB: process.resourceUsage().maxRSS / 1000 };
}

async function encodeBatch(bytes) {
  const tokenizer = NativeTokenizer.fromString(readFileSync(join(tokenizerFolder, 'tokenizer.json'), 'utf8'));
  const documents = head(bytes).split('\n').filter(Boolean);
  const batches = [[]];
  let characters = 0;
  for (const document of documents) {
    if ((characters += document.length) > 2 ** 19) [characters] = [document.length, batches.push([])];
    batches.at(-1).push(document);
  }
  await tokenizer.encodeBatch(documents.slice(0, 20), { addSpecialTokens: false });
  return measure(bytes, async () => {
    for (const batch of batches) await tokenizer.encodeBatch(batch, { addSpecialTokens: false });
  });
}

async function prepareTurn(workers, bytes) {
  const folder = mkdtempSync(join(tmpdir(), 'ldlm-prepare-'));
  try {
    const input = bytes > 0 ? join(folder, 'in.txt') : text;
    if (bytes > 0) writeFileSync(input, head(bytes));
    const tokenizer = await Tokenizer.load(tokenizerFolder);
    return await measure(statSync(input).size, () => prepare({ inputs: [input], tokenizer, length: 1024, packing: 'wrap', out: join(folder, 'out'), workers }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const answer = what === 'encodeBatch' ? await encodeBatch(Number(rest[0])) : await prepareTurn(...rest.map(Number));
process.stdout.write(JSON.stringify(answer));
