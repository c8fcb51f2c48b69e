// JointTrainer: a run folder, a native trainer and the loop between them. The user's `for await` is the hook: no callbacks.

import { parseConfig } from '../config/parse.js';
import { hiddenStateIndex } from '../config/encoders.js';
import type { LdlmConfig } from '../config/types.js';
import { batches } from '../data/batches.js';
import { type FolderLock, lockFolder } from '../data/lock.js';
import { hashOfRows } from '../data/manifest.js';
import type { Shards } from '../data/shards.js';
import { keepCommit } from '../hub/model_source.js';
import { callNative, checkTrainDtype, resolveDevice } from './call_native.js';
import { checkData, checkSameRows } from './check_data.js';
import { LdlmError } from './errors.js';
import { LDLM } from './ldlm.js';
import { loadNative } from './native.js';
import type { NativeJointTrainer, NativeTrainerConfig } from './native_types.js';
import { PretrainedEncoder } from './pretrained_encoder.js';
import { type CheckpointState, cleanRun, copyTokenizer, latestCheckpoint, writeCheckpoint } from './run_folder.js';
import { RunLog } from './run_log.js';
import { readableAccuracy, trainMetrics, type TrainMetrics } from './train_metrics.js';

export interface TrainerOptions {
  /** The run folder. */
  out: string;
  /** `auto` (default) continues where a run stopped, `never` refuses a folder that holds a run, `must` refuses one that does not. */
  resume?: 'auto' | 'never' | 'must';
  /** Bytes here and in all, while the frozen LM is fetched from the hub. */
  onDownload?: (bytes: number, totalBytes: number) => void;
  /** Writes an event file for TensorBoard into the run folder; default true. */
  tensorboard?: boolean;
  /** Texts to sample at every checkpoint, default 0. A second copy of the model is loaded for as long as that takes. */
  samples?: number;
}

/** Batches that the feature statistics of h are measured on before the first step. */
const STATISTICS_BATCHES = 50;

/**
 * Trains the four networks of an LDLM jointly.
 * @example
 * await using trainer = await JointTrainer.create(config, { out: 'runs/tiny' });
 * for await (const metrics of trainer.run(data)) console.log(metrics.step, metrics.loss.total);
 */
export class JointTrainer implements AsyncDisposable {
  private constructor(
    readonly config: LdlmConfig,
    private readonly options: TrainerOptions,
    private readonly encoder: PretrainedEncoder,
    private readonly sources: Pick<CheckpointState, 'encoder' | 'dataSha256'>,
    private readonly native: NativeJointTrainer,
    private readonly lock: FolderLock,
    private stepsDone: number,
  ) {}

  /**
   * Loads the frozen LM named by `config.encoder.source` (of the hub: the run's configuration then names the commit), and the newest checkpoint of `options.out` if there is one.
   * @throws LdlmError ERR_LDLM_CONFIG for sizes that do not fit, ERR_LDLM_STATE if another process trains into the folder
   */
  static async create(config: LdlmConfig, options: TrainerOptions): Promise<JointTrainer> {
    const checked = parseConfig(config);
    const device = resolveDevice(checked.train.device);
    checkTrainDtype(checked.train.dtype, device);
    const lock = await lockFolder(options.out);
    try {
      const checkpoint = await latestCheckpoint(options.out);
      checkResume(options, checkpoint !== null);
      if (checkpoint) checkSameModel(checked, checkpoint.config);
      const asked = keepCommit(checked.encoder.source, checkpoint?.config.encoder.source ?? '');
      const encoder = await PretrainedEncoder.load(asked, { device, ...(options.onDownload && { onDownload: options.onDownload }) });
      checked.encoder.source = encoder.source;
      encoder.check(checked);
      if (checkpoint) await encoder.checkSame(checkpoint.state, 'Name that encoder, or choose another --out for a new run');
      const native = await callNative(() => loadNative().JointTrainer.create(nativeConfig(checked, encoder), encoder.native, device));
      if (checkpoint) {
        const { folder, state } = checkpoint;
        await callNative(() => native.load(folder, state.step, state.timesteps));
      }
      await cleanRun(options.out, checkpoint?.state.step ?? 0);
      const { hiddenWidth, vocabulary } = encoder.shape;
      const sources = { encoder: { hiddenWidth, vocabulary, sha256: await encoder.sha256() }, dataSha256: checkpoint?.state.dataSha256 };
      return new JointTrainer(checked, options, encoder, sources, native, lock, checkpoint?.state.step ?? 0);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The run folder. */
  get out(): string {
    return this.options.out;
  }

  /** Steps done so far, those before a resume included. */
  get step(): number {
    return this.stepsDone;
  }

  /**
   * Trains until `config.train.steps`, yielding the metrics of every `logEvery`-th step and of every checkpoint. When `signal`
   * aborts, the step in flight ends, a checkpoint is written, and the loop ends.
   */
  async *run(data: Shards, options: { signal?: AbortSignal } = {}): AsyncGenerator<TrainMetrics, void, undefined> {
    await checkData(data, this.config, this.encoder);
    if (this.stepsDone > 0) checkSameRows(data, this.sources);
    this.sources.dataSha256 = hashOfRows(data.manifest);
    await copyTokenizer(data, this.out, { resumed: this.stepsDone > 0 });
    // Stopped before the first step there is nothing to save.
    if (this.stepsDone === 0 && !(await this.measureStatistics(data, options.signal))) return;
    const { steps, batch, seed, logEvery, saveEvery } = this.config.train;
    const log = await RunLog.open(this.out, this.config, { stepsDone: this.stepsDone, tensorboard: this.options.tensorboard ?? true });
    const feed = batches(data, { batch, seed, fromStep: this.stepsDone })[Symbol.asyncIterator]();
    let since = performance.now();
    let stepsSince = 0;
    let waited = 0;
    try {
      while (this.stepsDone < steps) {
        const asked = performance.now();
        const next = await feed.next();
        if (next.done) return;
        waited += performance.now() - asked;
        const { ids, lengths } = next.value;
        await callNative(() => this.native.step(ids, lengths));
        this.stepsDone += 1;
        stepsSince += 1;
        const stop = options.signal?.aborted === true;
        const save = stop || this.stepsDone === steps || this.stepsDone % saveEvery === 0;
        if (!save && this.stepsDone % logEvery !== 0) continue;
        const milliseconds = performance.now() - since;
        const native = await callNative(() => this.native.metrics());
        const metrics = trainMetrics(native, { milliseconds, tokens: stepsSince * batch * data.length, waited });
        if (save) {
          metrics.latent.spectrum = [...native.latentSpectrum].map((value) => Number(value.toPrecision(5)));
          metrics.accuracy = readableAccuracy(await callNative(() => this.native.diagnose(ids, lengths)));
          await this.saveLogged(metrics, log, { samples: stop ? 0 : (this.options.samples ?? 0) });
        } else {
          await log.add(metrics);
        }
        yield metrics;
        if (stop) return;
        [since, stepsSince, waited] = [performance.now(), 0, 0];
      }
    } finally {
      await feed.return?.(undefined as never);
    }
  }

  /** Writes a checkpoint of the current step now and returns its folder. */
  save(): Promise<string> {
    return this.writeCheckpoint();
  }

  private writeCheckpoint(log?: (state: CheckpointState) => Promise<void>): Promise<string> {
    return writeCheckpoint(this.out, this.config, this.sources, (folder) => callNative(() => this.native.save(folder)), log);
  }

  // Samples come last: they may take more memory than there is.
  private async saveLogged(metrics: TrainMetrics, log: RunLog, { samples }: { samples: number }): Promise<void> {
    metrics.saved = true;
    await this.writeCheckpoint((state) => log.add(metrics, state));
    if (samples > 0) await log.addSamples(metrics, await this.sampleCheckpoint(samples));
  }

  private async sampleCheckpoint(count: number): Promise<string[]> {
    const { device, seed } = this.config.train;
    await using model = await LDLM.load(this.out, { device });
    return (await model.sample({ count, seed })).texts;
  }

  async dispose(): Promise<void> {
    await this.native.dispose();
    await this.encoder.dispose();
    await this.lock[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** False if `signal` aborted before they were complete. */
  private async measureStatistics(data: Shards, signal?: AbortSignal): Promise<boolean> {
    const { batch, seed } = this.config.train;
    let left = STATISTICS_BATCHES;
    for await (const { ids, lengths } of batches(data, { batch, seed, fromStep: 0 })) {
      if (signal?.aborted) return false;
      await callNative(() => this.native.observeStatistics(ids, lengths));
      if (--left === 0) break;
    }
    await callNative(() => this.native.finishStatistics());
    return true;
  }
}

/** @throws LdlmError ERR_LDLM_STATE if `options.resume` does not allow what was found */
export function checkResume({ out, resume = 'auto' }: Pick<TrainerOptions, 'out' | 'resume'>, found: boolean): void {
  if (resume === 'never' && found) {
    throw new LdlmError('ERR_LDLM_STATE', `--resume never must get a folder without a run, got ${out}, which has checkpoints. Choose another --out or --resume auto`);
  }
  if (resume === 'must' && !found) {
    throw new LdlmError('ERR_LDLM_STATE', `--resume must needs a run with a checkpoint, got ${out}, which has none. Check --out or use --resume auto`);
  }
}

/** A resumed run may be longer or log otherwise; what decides the tensors or the random numbers must be as it was. */
function checkSameModel(now: LdlmConfig, then: LdlmConfig): void {
  const fixed = (c: LdlmConfig): [string, unknown][] => [
    ['model', c.model],
    ['diffusion', c.diffusion],
    ['recipe', c.recipe],
    ['encoder.layer', c.encoder.layer],
    ['train.seed', c.train.seed],
    ['train.batch', c.train.batch],
    ['train.muon', c.train.muon],
  ];
  const before = new Map(fixed(then));
  for (const [name, value] of fixed(now)) {
    const old = JSON.stringify(before.get(name));
    if (JSON.stringify(value) === old) continue;
    throw new LdlmError('ERR_LDLM_CONFIG', `${name} must be as in the checkpoint to resume, ${old}, got ${JSON.stringify(value)}. Choose another --out for a new run`);
  }
}

function nativeConfig(config: LdlmConfig, encoder: PretrainedEncoder): NativeTrainerConfig {
  const { train, model, diffusion, recipe } = config;
  const { hiddenWidth, vocabulary } = encoder.shape;
  const { steps, batch, accumulate, warmupSteps, cooldown, lr, eps, muon, weightDecay, clip, ema, seed } = train;
  const [beta1, beta2] = train.betas;
  return {
    model: { ...model, hiddenWidth, vocabulary },
    encoderLayer: hiddenStateIndex(config.encoder.layer, encoder.shape),
    scheduleD: diffusion.scheduleD,
    selfConditioning: diffusion.selfConditioning,
    recipe,
    train: {
      steps, batch, accumulate, warmupSteps, cooldownSteps: Math.round(cooldown * steps), lr, beta1, beta2, eps, muon, weightDecay, clip, ema, seed,
      bfloat16: train.dtype === 'bfloat16',
      recompute: train.recompute,
    },
  };
}
