// An evaluation that is made once: written to a file with what it was asked, and read back when the same is asked again.

import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LdlmError } from '../api/errors.js';
import type { LDLM } from '../api/ldlm.js';
import type { SampleOptions } from '../api/sample_options.js';
import type { Scorer } from '../api/scorer.js';
import { writeFileAtomic } from '../data/atomic.js';
import { hashFiles } from '../data/hash_files.js';
import type { Evaluation, EvaluationResult } from '../eval/evaluate.js';
import type { ProtocolName } from '../eval/protocols.js';

/** Everything that decides the figures, as plain JSON. */
export type Question = Readonly<Record<string, unknown>>;

export interface KeptEvaluation {
  question: Question;
  results: EvaluationResult[];
  /** Wall time from noise to text, for all samples. */
  samplingSeconds: number;
}

export interface Judgement {
  protocols: readonly ProtocolName[];
  scorer?: Scorer;
  /** Held-out texts; may be none. */
  reference: readonly string[];
}

/**
 * Raised when the same request gives other samples: 2 since the temperature scales the fresh noise too, 3 since the grid follows from the
 * model, 4 since documents of a wrapped row stand on lines of their own. */
const SAMPLING_REVISION = 4;

/** What is asked when `model` is sampled and judged so. */
export async function questionOf({ weights, device, dtype, tokenizer }: LDLM, sampling: Omit<SampleOptions, 'signal' | 'onProgress' | 'batch'>, { protocols, scorer, reference }: Judgement): Promise<Question> {
  return {
    revision: SAMPLING_REVISION,
    weights: await hashFiles([weights]),
    endId: tokenizer.endId,
    device,
    dtype,
    sampling,
    protocols,
    scorer: scorer ? { weights: await scorer.sha256(), tokenizer: scorer.tokenizer.sha256 } : null,
    references: createHash('sha256').update(JSON.stringify(reference)).digest('hex'),
  };
}

/** The evaluation in `file` if it answers `question`, else null. A file that cannot be read counts as none: it is made again. */
export async function findKept(file: string, question: Question): Promise<KeptEvaluation | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new LdlmError('ERR_LDLM_IO', `${file} must be a readable file: ${error.message}`, { cause: error });
  });
  if (text === null) return null;
  const kept = parse(text);
  if (JSON.stringify(kept?.question) !== JSON.stringify(question)) return null;
  // Another time there may be memory enough: libraries of a GPU say so in errors of their own.
  return kept!.results.some(({ refusedBy }) => refusedBy === 'ERR_LDLM_OUT_OF_MEMORY' || refusedBy === 'ERR_LDLM_TORCH') ? null : kept;
}

/** Writes an evaluation to `file`, whole or not at all. */
export async function keep(file: string, question: Question, { results, stats }: Evaluation): Promise<KeptEvaluation> {
  const kept = { question, results, samplingSeconds: stats.seconds };
  await mkdir(dirname(file), { recursive: true });
  await writeFileAtomic(file, JSON.stringify(kept, null, 2) + '\n');
  return kept;
}

function parse(text: string): KeptEvaluation | null {
  try {
    return JSON.parse(text) as KeptEvaluation;
  } catch {
    return null;
  }
}
