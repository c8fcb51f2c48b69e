// One turn of bench/prepare.mjs in a process of its own; answers on stdout with bytes, seconds, seconds of CPU and peak memory. Loading the
// tokenizer is not counted on either side.

import { mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { prepare } from '../dist/data/prepare.js';
import { Tokenizer } from '../dist/data/tokenizer.js';

const [what, file, tokenizerFolder, ...rest] = process.argv.slice(2);

/** The first `bytes` bytes of the text, cut at a line. */
function head(bytes) {
  const buffer = Buffer.alloc(bytes);
  const length = readSync(openSync(file, 'r'), buffer);
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

/** Prepares `bytes` bytes of text that are in `input`. Memory is looked at whenever a quarter of the work is done. */
async function measurePrepare(input, bytes, workers) {
  const folder = mkdtempSync(join(tmpdir(), 'ldlm-prepare-'));
  const rssMBAtQuarters = [];
  const onProgress = ({ bytes: done, totalBytes }) => {
    while (rssMBAtQuarters.length < Math.floor((4 * done) / totalBytes)) rssMBAtQuarters.push(Math.round(process.memoryUsage.rss() / 1e6));
  };
  try {
    const tokenizer = await Tokenizer.load(tokenizerFolder);
    const options = { inputs: [input], tokenizer, length: 1024, packing: 'wrap', out: join(folder, 'out'), workers, onProgress };
    return { ...(await measure(bytes, () => prepare(options))), rssMBAtQuarters };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function prepareHead(bytes, workers) {
  const folder = mkdtempSync(join(tmpdir(), 'ldlm-head-'));
  try {
    writeFileSync(join(folder, 'in.txt'), head(bytes));
    return await measurePrepare(join(folder, 'in.txt'), bytes, workers);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const turns = { encodeBatch, prepareHead, prepareWhole: (bytes, workers) => measurePrepare(file, bytes, workers) };
process.stdout.write(JSON.stringify(await turns[what](...rest.map(Number))));
