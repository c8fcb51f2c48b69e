// Time to have the next batch, with nothing read ahead: from memory, from files in the page cache, and from files out of it. `node
// bench/batches.mjs [--megabytes N] [--batches N]`. The shapes are those of the presets for real corpora; their steps on an H200 at half of
// 790 TFLOP/s (docs/recipes) are the time that there is. CPU times count beside other work. Appends a line to bench/results/batches.jsonl.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { batches } from '../dist/data/batches.js';
import { openShards } from '../dist/data/shards.js';
import { spread } from '../dist/bench/statistics.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { megabytes: { type: 'string', default: '256' }, batches: { type: 'string', default: '12' } } });
const bytes = 1e6 * Number(values.megabytes);

/** FLOP of a step by docs/recipes. */
const shapes = [
  { preset: 'owt', batch: 512, length: 1024, flop: 1.3e15 },
  { preset: 'lm1b', batch: 512, length: 128, flop: 1.3e14 },
];

function writeDataSet(dir, length) {
  const rows = Math.floor(bytes / 2 / length);
  const ids = Buffer.alloc(2 * rows * length);
  const noise = randomBytes(1 << 20);
  for (let at = 0; at < ids.length; at += noise.length) noise.copy(ids, at);
  for (let at = 1; at < ids.length; at += 2) ids[at] &= 0x7f; // below the vocabulary
  mkdirSync(dir);
  writeFileSync(join(dir, 'shard-00000.bin'), ids, { flush: true });
  const sha256 = '0'.repeat(64); // not looked at
  const counts = { tokens: rows * length, realTokens: rows * length, droppedTokens: 0, documents: 1, truncated: 0 };
  const manifest = {
    formatVersion: 1, rows, length, packing: 'wrap', vocabulary: 32768, dtype: 'uint16', endId: 0, padId: 0, ...counts,
    tokenizer: { kind: 'none', version: '0', sha256 }, inputs: [], shards: [{ file: 'shard-00000.bin', rows, sha256, lengths: null }],
  };
  writeFileSync(join(dir, 'manifest.json'), JSON.stringify(manifest));
}

const dropFromCache = (path) => execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']);

/** Milliseconds of each batch, one after another: those that pass, and those of the CPU. */
async function measure(dir, batch, { inMemoryBytes, isCold }) {
  const shards = await openShards(dir, { inMemoryBytes, verify: false });
  const times = { wall: [], cpu: [] };
  const feed = batches(shards, { batch, seed: 0, fromStep: 0, ahead: 0 });
  for (let i = 0; i < Number(values.batches); i++) {
    if (isCold) dropFromCache(join(dir, 'shard-00000.bin'));
    const [began, used] = [performance.now(), process.cpuUsage()];
    await feed.next();
    const { user, system } = process.cpuUsage(used);
    times.wall.push(performance.now() - began);
    times.cpu.push((user + system) / 1000);
  }
  await feed.return();
  await shards.dispose();
  return times;
}

const folder = mkdtempSync(join(tmpdir(), 'ldlm-batches-'));
try {
  const results = [];
  for (const { preset, batch, length, flop } of shapes) {
    const dir = join(folder, preset);
    writeDataSet(dir, length);
    const kinds = { memory: { inMemoryBytes: Infinity }, pageCache: { inMemoryBytes: 0 }, disk: { inMemoryBytes: 0, isCold: true } };
    const times = {};
    for (const [kind, options] of Object.entries(kinds)) times[kind] = await measure(dir, batch, options);
    const stepMs = (1000 * flop) / (790e12 / 2);
    const spreads = ({ wall, cpu }) => ({ wall: spread(wall, 1), cpu: spread(cpu, 1), cpuShareOfStep: +(spread(cpu, 1).median / stepMs).toFixed(4) });
    const ms = Object.fromEntries(Object.entries(times).map(([kind, lists]) => [kind, spreads(lists)]));
    results.push({ preset, batch, length, stepOnH200Ms: Math.round(stepMs), ms });
    rmSync(dir, { recursive: true });
  }
  const machine = { cpu: cpus()[0].model.trim(), cores: availableParallelism(), load1: +loadavg()[0].toFixed(2), node: process.versions.node };
  const line = { date: new Date().toISOString(), op: 'batches', megabytes: Number(values.megabytes), results, machine };
  appendFileSync(join(here, 'results', 'batches.jsonl'), `${JSON.stringify(line)}\n`);
  console.log(JSON.stringify(line, null, 2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
