// An ablation: every variant trained with every seed into a run folder of its own, sampled alike, and judged. Seeds are the outer loop,
// so that a first whole comparison is there early. What is done is on the disk; a second call does what is missing.
//
//   OUT/ablation.json              the full configuration, and the runs that were asked for last
//   OUT/VARIANT/seed-N/            a run folder
//   OUT/VARIANT/seed-N/eval.json   its evaluation (uniform-grid has nothing else: its model is that of full)

import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { glob } from 'tinyglobby';
import { checkSameRows } from '../api/check_data.js';
import { LdlmError } from '../api/errors.js';
import { LDLM } from '../api/ldlm.js';
import { latestCheckpoint } from '../api/run_folder.js';
import type { TrainMetrics } from '../api/train_metrics.js';
import { JointTrainer } from '../api/trainer.js';
import { type EncoderShape, readEncoderShape } from '../config/encoders.js';
import { withLaterFields } from '../config/later_fields.js';
import { parseConfig } from '../config/parse.js';
import type { LdlmConfig } from '../config/types.js';
import { writeFileAtomic } from '../data/atomic.js';
import { type Manifest, readManifest } from '../data/manifest.js';
import { openShards } from '../data/shards.js';
import { evaluate } from '../eval/evaluate.js';
import { keepCommit, resolveModel } from '../hub/model_source.js';
import { hashWeights } from '../hub/weight_files.js';
import { findKept, type Judgement, keep, type KeptEvaluation, questionOf } from './kept_evaluation.js';
import { StepCounter, stepsIn } from './step_counter.js';
import { configOf, type Variant, type VariantName, variants } from './variants.js';

export interface AblationOptions extends Judgement {
  /** The full recipe, complete. Seeds count from its `train.seed`. */
  config: LdlmConfig;
  out: string;
  variants: readonly VariantName[];
  seeds: number;
  /** How every model is sampled. */
  sampling: { count: number; steps: number; seed: number };
  signal?: AbortSignal;
  onProgress?: (progress: AblationProgress) => void;
  /** Called when one more run has its figures; `runs` are all of them so far. */
  onRun?: (runs: readonly AblationRun[]) => void | Promise<void>;
}

export interface AblationProgress {
  variant: VariantName;
  seed: number;
  /** Of the runs, from 1. */
  run: number;
  runs: number;
  /** 'training', 'sampling' or a protocol. */
  stage: string;
  /** Training steps of all runs. */
  stepsDone: number;
  steps: number;
}

/** One variant with one seed, and what came of it. */
export interface AblationRun {
  variant: VariantName;
  seed: number;
  folder: string;
  /** Null where training failed. */
  evaluation: KeptEvaluation | null;
  /** Of the last step: deviation of z0 over the data, effective rank. */
  latent: TrainMetrics['latent'] | null;
  /** Why training failed, if it did. */
  failure: string | null;
}

interface PlannedRun extends Variant {
  name: VariantName;
  seed: number;
  config: LdlmConfig;
  /** Of the run, shared by variants that train alike. */
  folder: string;
  evaluationFile: string;
}

/**
 * Trains, samples and judges what is not there yet. When `signal` aborts, the run in flight saves a checkpoint and the runs that are done
 * are returned.
 * @throws LdlmError ERR_LDLM_CONFIG for a variant that changes nothing; ERR_LDLM_STATE if `out` holds the ablation of another configuration
 */
export async function ablate(options: AblationOptions): Promise<AblationRun[]> {
  const { out, config, signal } = options;
  const planned = plan(options);
  await claim(out, config);
  const sources = await sourcesOf(config, out, signal);
  const training = await StepCounter.of(planned.map(({ folder }) => folder), config.train.steps);
  const done: AblationRun[] = [];
  for (const [i, run] of planned.entries()) {
    const report = (stage: string): void =>
      options.onProgress?.({ variant: run.name, seed: run.seed, run: i + 1, runs: planned.length, stage, ...training.state() });
    const failure = await train(run, sources, signal, (step) => (training.reached(run.folder, step), report('training')));
    if (signal?.aborted) break;
    const evaluation = failure === null ? await judge(run, options, report).catch(unlessAborted) : null;
    if (signal?.aborted) break;
    const latent = failure === null ? await lastLatent(run.folder) : null;
    done.push({ variant: run.name, seed: run.seed, folder: run.folder, evaluation, latent, failure });
    await writeFileAtomic(join(out, 'ablation.json'), JSON.stringify({ config, runs: done }, null, 2) + '\n');
    await options.onRun?.(done);
  }
  return done;
}

function plan({ config, out, seeds, variants: names }: AblationOptions): PlannedRun[] {
  return Array.from({ length: seeds }, (_, i) => config.train.seed + i).flatMap((seed) =>
    names.map((name) => {
      const variant: Variant = variants[name];
      const seeded = configOf(name, { ...config, train: { ...config.train, seed } });
      const folder = join(out, variant.grid === 'uniform' ? 'full' : name, `seed-${seed}`);
      return { ...variant, name, seed, config: seeded, folder, evaluationFile: join(out, name, `seed-${seed}`, 'eval.json') };
    }),
  );
}

/** A folder holds one ablation: runs of another configuration would be compared as if they were alike. */
async function claim(out: string, config: LdlmConfig): Promise<void> {
  const file = join(out, 'ablation.json');
  const found = await readFile(file, 'utf8').catch(() => null);
  const fixed = ({ train: { device: _, logEvery: __, saveEvery: ___, keepCheckpoints: ____, ...train }, ...rest }: LdlmConfig): string => JSON.stringify({ ...rest, train });
  if (found !== null) {
    const then = parseConfig(withLaterFields((JSON.parse(found) as { config: unknown }).config));
    if (fixed(then) === fixed(parseConfig(config))) return;
    throw new LdlmError('ERR_LDLM_STATE', `--out must be a new folder or hold the ablation of this configuration, got ${out}, whose configuration is another (see ${file}). Choose another --out`);
  }
  await mkdir(out, { recursive: true });
  await writeFileAtomic(file, JSON.stringify({ config, runs: [] }, null, 2) + '\n');
}

/** Trains until the last step. Returns why it failed, or null. */
async function train({ config, folder }: PlannedRun, sources: Sources, signal: AbortSignal | undefined, onStep: (step: number) => void): Promise<string | null> {
  const failureFile = join(folder, 'failure.json');
  const failed = await readFile(failureFile, 'utf8').catch(() => null);
  if (failed !== null) return (JSON.parse(failed) as { failure: string }).failure;
  if ((await stepsIn(folder)) === config.train.steps) {
    await checkSources(folder, sources);
    return null;
  }
  try {
    await using data = await openShards(config.data.path);
    const pinned = { ...config, encoder: { ...config.encoder, source: sources.encoder.source } };
    await using trainer = await JointTrainer.create(pinned, { out: folder });
    onStep(trainer.step);
    for await (const { step } of trainer.run(data, signal ? { signal } : {})) onStep(step);
    return null;
  } catch (error) {
    // A variant may diverge: that is a result of it, and no reason to lose the others.
    if (!(error instanceof LdlmError) || error.code !== 'ERR_LDLM_DIVERGED') throw error;
    await writeFileAtomic(failureFile, JSON.stringify({ failure: error.message }) + '\n');
    return error.message;
  }
}

/** What all runs are trained on: the hashes of the rows and of the encoder's weights, read when they are first asked for. */
interface Sources {
  data: { dir: string; manifest: Manifest };
  encoder: { source: string; shape: EncoderShape; sha256: () => Promise<string> };
}

/** An encoder of the hub is the commit that the runs of `out` were trained on, also when the hub has another by now. */
async function sourcesOf({ data, encoder }: LdlmConfig, out: string, signal: AbortSignal | undefined): Promise<Sources> {
  let known = '';
  for (const run of await glob('*/seed-*', { cwd: out, onlyDirectories: true })) known ||= (await latestCheckpoint(join(out, run)))?.config.encoder.source ?? '';
  const { source, folder } = await resolveModel(keepCommit(encoder.source, known), ['weights'], signal ? { signal } : {});
  let hash: Promise<string> | undefined;
  return {
    data: { dir: data.path, manifest: await readManifest(data.path) },
    encoder: { source, shape: await readEncoderShape(folder), sha256: () => (hash ??= hashWeights(folder)) },
  };
}

/** A finished run must be of the data and the encoder that the others will be of, as one that is resumed. */
async function checkSources(folder: string, { data, encoder }: Sources): Promise<void> {
  const { state } = (await latestCheckpoint(folder))!;
  checkSameRows(data, state);
  const { hiddenWidth, vocabulary, sha256 } = state.encoder; // checkpoints of before there was a hash have none
  const sizes = hiddenWidth === encoder.shape.hiddenWidth && vocabulary === encoder.shape.vocabulary;
  if (sizes && (sha256 === undefined || sha256 === (await encoder.sha256()))) return;
  throw new LdlmError('ERR_LDLM_CONFIG', `the encoder must be that of the finished run ${folder}, got other weights in ${encoder.source}. Put that encoder back there, or choose another --out`);
}

async function judge(run: PlannedRun, options: AblationOptions, report: (stage: string) => void): Promise<KeptEvaluation> {
  const { protocols, scorer, reference, signal } = options;
  const sampling = { ...options.sampling, grid: run.grid };
  await using model = await LDLM.load(run.folder, { device: run.config.train.device });
  const question = await questionOf(model, sampling, options);
  const kept = await findKept(run.evaluationFile, question);
  if (kept) return kept;
  const evaluation = await evaluate(model, {
    ...sampling, protocols, stateRefusals: true,
    ...(reference.length > 0 ? { reference } : {}),
    ...(scorer ? { scorer } : {}),
    ...(signal ? { signal } : {}),
    onProgress: (stage, done, total) => report(`${stage} ${done}/${total}`),
  });
  await mkdir(dirname(run.evaluationFile), { recursive: true });
  await writeFileAtomic(join(dirname(run.evaluationFile), 'samples.jsonl'), evaluation.samples.map((sample) => JSON.stringify(sample) + '\n').join(''));
  return keep(run.evaluationFile, question, evaluation);
}

function unlessAborted(error: unknown): null {
  if (error instanceof LdlmError && error.code === 'ERR_LDLM_ABORTED') return null;
  throw error;
}

async function lastLatent(folder: string): Promise<TrainMetrics['latent'] | null> {
  const lines = (await readFile(join(folder, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  return (JSON.parse(lines.at(-1)!) as TrainMetrics).latent;
}
