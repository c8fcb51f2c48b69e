// `prepare` against the `encodeBatch` of `tokenizers` alone, in one run and in turns, so that what else the machine does hits both alike.
// The corpus is made first (words of a Zipf distribution in documents of the lengths of web pages), as text and as parquet. Both are then
// prepared whole. Prints MB/s per core, memory at each quarter of the work and the speed of the readers, and appends a line to
// bench/results/prepare.jsonl. `--folder DIR` keeps the corpus for the next run.

import { spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { readDocuments } from '../dist/data/readers.js';
import { trainByteLevelBpe } from '../dist/data/tokenizer_training.js';
import { spread } from '../dist/bench/statistics.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '3000' },
    parquet: { type: 'string' },
    turn: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: String(availableParallelism()) },
    tokenizer: { type: 'string' },
    folder: { type: 'string' },
  },
});
const [megabytes, rounds, workers, turn] = [values.megabytes, values.rounds, values.workers, values.turn].map(Number);
/** Text of one turn of each side: long enough that starting threads, which is part of `prepare`, is a small part. */
const TURN_BYTES = 1e6 * turn;
/** Text in the parquet file. */
const PARQUET_BYTES = 1e6 * Number(values.parquet ?? Math.min(megabytes, 300));

/** Documents of about 5 kB: words of 1 to 4 syllables whose frequency falls with their rank. */
function* documents(bytes) {
  let state = 12345;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const syllables = Array.from({ length: 200 }, () => 'bcdfghklmnprstvw'[Math.floor(random() * 16)] + 'aeiou'[Math.floor(random() * 5)] + ['', 'n', 'r', 's', 't'][Math.floor(random() * 5)]);
  const words = Array.from({ length: 40_000 }, () => Array.from({ length: 1 + Math.floor(random() * 4) }, () => syllables[Math.floor(random() * 200)]).join(''));
  const word = () => words[Math.floor(words.length ** random()) - 1];
  for (let made = 0; made < bytes; ) {
    const length = Math.exp(7.9 + 1.1 * (random() + random() + random() - 1.5) * 1.6);
    let text = '';
    for (let i = 1; text.length < length; i++) text += i % 13 === 0 ? `${word()}. The ` : i % 7 === 0 ? `${word()}, ` : i % 31 === 0 ? `${Math.floor(random() * 3000)} ` : `${word()} `;
    made += text.length + 1;
    yield text;
  }
}

async function makeCorpus(folder) {
  const [text, parquet] = [join(folder, 'corpus.txt'), join(folder, 'corpus.parquet')];
  if (!existsSync(text)) {
    const file = openSync(text, 'w');
    for (const document of documents(megabytes * 1e6)) writeSync(file, `${document}\n`);
    closeSync(file);
  }
  if (!existsSync(parquet)) {
    const writer = new ParquetWriter({ writer: fileWriter(parquet), schema: [{ name: 'root', num_children: 1 }, { name: 'text', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }] });
    const write = (rows) => writer.write({ columnData: [{ name: 'text', data: rows }], rowGroupSize: 1000 });
    let rows = [];
    for (const document of documents(PARQUET_BYTES)) {
      if (rows.push(document) < 1000) continue;
      await write(rows);
      rows = [];
    }
    if (rows.length > 0) await write(rows);
    await writer.finish();
  }
  return { text, parquet };
}

async function tokenizerFolder(folder) {
  if (values.tokenizer) return values.tokenizer;
  const dir = join(folder, 'tokenizer');
  mkdirSync(dir, { recursive: true });
  if (!existsSync(join(dir, 'tokenizer.json'))) writeFileSync(join(dir, 'tokenizer.json'), JSON.stringify(await trainByteLevelBpe(documents(5e6), { vocabulary: 16_000 })));
  return dir;
}

/** Runs `script` in a process of its own, and gives what it says and used. */
function child(script, ...args) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(here, 'prepare_child.mjs'), script, ...args.map(String)], { encoding: 'utf8', maxBuffer: 1e8 });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function readingSpeed(path) {
  const used = process.cpuUsage();
  let bytes = 0;
  for await (const { text } of readDocuments(path)) bytes += text.length;
  const { user, system } = process.cpuUsage(used);
  return bytes / (user + system); // bytes a microsecond are MB a second
}

const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'ldlm-bench-'));
try {
  mkdirSync(folder, { recursive: true });
  const { text, parquet } = await makeCorpus(folder);
  const tokenizer = await tokenizerFolder(folder);
  NativeTokenizer.fromFile(join(tokenizer, 'tokenizer.json')); // fails here if it cannot be loaded
  const turns = [];
  for (let round = 0; round < rounds; round++) {
    const own = child('encodeBatch', text, tokenizer, TURN_BYTES);
    const ours = child('prepareHead', text, tokenizer, TURN_BYTES, workers);
    turns.push({ own, ours });
  }
  const whole = (file, bytes) => {
    const turn = child('prepareWhole', file, tokenizer, bytes, workers);
    return { megabytes: Math.round(bytes / 1e6), 'MB/s': +perSecond(turn).toFixed(2), 'MB/s per core': +perCore(turn).toFixed(2), peakRssMB: Math.round(turn.peakRssMB), rssMBAtQuarters: turn.rssMBAtQuarters };
  };
  const perCore = ({ bytes, cpuSeconds }) => bytes / 1e6 / cpuSeconds;
  const perSecond = ({ bytes, seconds }) => bytes / 1e6 / seconds;
  const result = {
    turnMB: turn, workers, rounds,
    encodeBatch: { 'MB/s': spread(turns.map(({ own }) => perSecond(own)), 2), 'MB/s per core': spread(turns.map(({ own }) => perCore(own)), 2) },
    prepare: { 'MB/s': spread(turns.map(({ ours }) => perSecond(ours)), 2), 'MB/s per core': spread(turns.map(({ ours }) => perCore(ours)), 2) },
    ratio: { time: spread(turns.map(({ own, ours }) => perSecond(ours) / perSecond(own)), 3), cpu: spread(turns.map(({ own, ours }) => perCore(ours) / perCore(own)), 3) },
    whole: { text: whole(text, statSync(text).size), parquet: whole(parquet, PARQUET_BYTES) },
    readers: { 'text MB/s per core': Math.round(await readingSpeed(text)), 'parquet MB/s per core': Math.round(await readingSpeed(parquet)) },
    machine: { cpu: cpus()[0].model.trim(), cores: availableParallelism(), load1: +loadavg()[0].toFixed(2), node: process.versions.node },
  };
  mkdirSync(join(here, 'results'), { recursive: true });
  appendFileSync(join(here, 'results', 'prepare.jsonl'), `${JSON.stringify({ date: new Date().toISOString(), ...result })}\n`);
  console.log(JSON.stringify(result, null, 2));
} finally {
  if (!values.folder) rmSync(folder, { recursive: true, force: true });
}
