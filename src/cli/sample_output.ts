// Samples on their way out of `ldlm sample` and `ldlm baseline sample`: batch by batch, and what is there when the work is stopped is kept.

import { Option } from 'commander';
import type { Sample, SampleBatch } from '../api/ldlm.js';
import { writeFileAtomic } from '../data/atomic.js';
import { createProgress } from './progress.js';

export type SampleFormat = 'text' | 'jsonl';

export function formatOption(): Option {
  return new Option('--format <name>', 'text: one a line; jsonl: {"index","seed","text","ids"}').choices(['text', 'jsonl']).default('text');
}

/** A sample as a line of the output. */
function formatSample({ index, seed, text, ids }: Sample, as: SampleFormat): string {
  return as === 'jsonl' ? JSON.stringify({ index, seed, text, ids }) : text.replaceAll('\n', ' ');
}

/**
 * Writes all samples to `out`, or to stdout as soon as they are there (on a terminal, where the progress is, at the end). If the work is stopped or
 * fails, those that were done are in `out`.partial.
 */
export async function writeSamples(
  batches: AsyncIterable<SampleBatch>,
  { count, format, out }: { count: number; format: SampleFormat; out: string | undefined },
): Promise<{ evaluations: number; seconds: number }> {
  const progress = createProgress({ total: count, unit: 'texts', label: 'sampling' });
  const start = performance.now();
  const kept: string[] = [];
  const immediately = out === undefined && !process.stdout.isTTY;
  let done = 0;
  let evaluations = 0;
  try {
    for await (const { samples, evaluations: ofThese } of batches) {
      done += samples.length;
      evaluations += ofThese * samples.length;
      progress.update(done);
      const lines = samples.map((sample) => `${formatSample(sample, format)}\n`);
      if (immediately) process.stdout.write(lines.join(''));
      else kept.push(...lines);
    }
    return { evaluations: evaluations / count, seconds: (performance.now() - start) / 1000 };
  } finally {
    progress.stop();
    const file = done < count ? `${out}.partial` : out;
    if (out === undefined) process.stdout.write(kept.join(''));
    else if (done > 0) await writeFileAtomic(file!, kept);
    if (done < count && done > 0) process.stderr.write(`${done} of ${count} texts were done${out === undefined ? '' : `: ${file}`}\n`);
  }
}
