// The process that measures a native system: answers the requests of worker_process.ts on stdin until it ends. What a system does for a
// task is in native_systems.ts.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { loadNative } from '../api/native.js';
import { openNative, type Run, type Told } from './native_systems.js';
import type { Request, Timings } from './worker_process.js';

/** Of this process; /proc is Linux's, elsewhere the peak is not known and 0. */
function peakRss(): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

const native = loadNative();
const baseRssBytes = peakRss();

async function measure(run: Run, repeats: number, profile: boolean): Promise<Timings> {
  const answer: Timings = { timesMs: [], cpuMs: [], peakRssBytes: 0, baseRssBytes, version: `libtorch ${native.torchVersion}` };
  if (profile) await native.startProfile();
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    const before = process.cpuUsage();
    const { rates, evaluationsAtMs, share = 1 }: Told = (await run()) ?? {};
    answer.timesMs.push((performance.now() - start) / share);
    const { user, system } = process.cpuUsage(before);
    answer.cpuMs.push((user + system) / 1000 / share);
    if (share < 1) answer.share = share;
    if (rates) answer.rates = rates;
    if (evaluationsAtMs) (answer.evaluationMs ??= []).push((evaluationsAtMs.at(-1)! - evaluationsAtMs[0]!) / (evaluationsAtMs.length - 1));
  }
  if (profile) answer.profile = await native.stopProfile();
  return { ...answer, peakRssBytes: peakRss() };
}

async function answerTo(request: Request): Promise<object> {
  if ('open' in request) {
    native.setThreads(request.work.threads);
    run = await openNative(native, request.system, request.open, request.work);
    return {};
  }
  return measure(run!, request.repeats, request.profile ?? false);
}

let run: Run | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  try {
    process.stdout.write(JSON.stringify(await answerTo(JSON.parse(line) as Request)) + '\n');
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`); // the parent shows the last lines
    process.exit(1);
  }
}
