// BaselineTrainer: a run folder, a native trainer and the loop between them, as JointTrainer is for an LDLM. The same batches, the same
// files, exact resume.

import { callNative, checkTrainDtype } from '../api/call_native.js';
import { checkRows, checkSameRows } from '../api/check_data.js';
import { LdlmError } from '../api/errors.js';
import { cleanRun, copyTokenizer, logMetrics, writeCheckpointFolder } from '../api/run_folder.js';
import { checkResume, type TrainerOptions } from '../api/trainer.js';
import { batches } from '../data/batches.js';
import { type FolderLock, lockFolder } from '../data/lock.js';
import { hashOfRows } from '../data/manifest.js';
import type { Shards } from '../data/shards.js';
import { Budget, type Spent, type TimeLimit } from './budget.js';
import { type BaselineCheckpoint, type BaselineState, latestBaseline } from './checkpoint.js';
import { type BaselineConfig, countParameters, nativeModel, parseBaselineConfig } from './config.js';
import { loadBaselines, type NativeBaselineStep, type NativeBaselineTrainer } from './native.js';

/** One logged step, as in RUN/metrics.jsonl. */
export interface BaselineMetrics {
  step: number;
  /** Nats a real token: of ar the cross-entropy, of mdlm the bound on it. */
  loss: { total: number };
  lr: number;
  gradNorm: number;
  /** Tokens (padding included) per second since the last logged step. */
  tokensPerSecond: number;
  /** Share of that time spent waiting for the next batch. */
  dataWait: number;
  /** Training time so far, by the clock and of the CPU. */
  seconds: number;
  cpuSeconds: number;
  /** True when a checkpoint was written at this step. */
  saved: boolean;
}

export class BaselineTrainer implements AsyncDisposable {
  private constructor(
    readonly config: BaselineConfig,
    readonly out: string,
    private readonly data: Shards,
    private readonly native: NativeBaselineTrainer,
    private readonly lock: FolderLock,
    private readonly before: Spent,
    private stepsDone: number,
  ) {}

  /** @throws LdlmError ERR_LDLM_CONFIG for sizes that do not fit, ERR_LDLM_STATE if another process trains into the folder */
  static async create(config: BaselineConfig, options: Pick<TrainerOptions, 'out' | 'resume'> & { data: Shards }): Promise<BaselineTrainer> {
    const checked = parseBaselineConfig(config);
    const { out, data } = options;
    checkRows(data, checked);
    if (checked.train.device === 'cuda') {
      throw new LdlmError('ERR_LDLM_CONFIG', 'a baseline must be trained on the cpu, got cuda. Set train.device=cpu');
    }
    checkTrainDtype(checked.train.dtype, 'cpu');
    const lock = await lockFolder(out);
    try {
      const checkpoint = await latestBaseline(out);
      checkResume(options, checkpoint !== null);
      if (checkpoint) {
        checkSame(checked, checkpoint);
        checkSameRows(data, checkpoint.state);
      }
      const native = await callNative(() => loadBaselines().BaselineTrainer.create({ model: nativeModel(checked, { ...data, endId: data.manifest.endId }), train: nativeTrain(checked) }));
      if (checkpoint) await callNative(() => native.load(checkpoint.folder, checkpoint.state.step));
      await cleanRun(out, checkpoint?.state.step ?? 0);
      const { seconds = 0, cpuSeconds = 0, step = 0 } = checkpoint?.state ?? {};
      return new BaselineTrainer(checked, out, data, native, lock, { seconds, cpuSeconds }, step);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Steps done so far, those before a resume included. */
  get step(): number {
    return this.stepsDone;
  }

  get parameters(): number {
    return countParameters(this.config.kind, this.config.model, this.data.vocabulary);
  }

  /**
   * Trains until `config.train.steps`, or until the time is over, yielding the metrics of every `logEvery`-th step and of every
   * checkpoint with what is done. When `signal` aborts, the step in flight ends, a checkpoint is written, and the loop ends.
   */
  async *run(options: TimeLimit & { signal?: AbortSignal } = {}): AsyncGenerator<BaselineMetrics & { done: ReturnType<Budget['done']> }, void, undefined> {
    const { steps, batch, seed, logEvery, saveEvery } = this.config.train;
    await copyTokenizer(this.data, this.out, { resumed: this.stepsDone > 0 });
    const budget = new Budget(steps, options, this.before);
    const feed = batches(this.data, { batch, seed, fromStep: this.stepsDone })[Symbol.asyncIterator]();
    let [since, stepsSince, waited] = [performance.now(), 0, 0];
    try {
      // Looked at once a step: time that ran out between two looks would end the loop without a checkpoint.
      let stop = budget.progress(this.stepsDone) >= 1 || (options.signal?.aborted === true && this.stepsDone === 0);
      while (!stop) {
        const asked = performance.now();
        const { ids, lengths } = (await feed.next()).value;
        waited += performance.now() - asked;
        const last = await callNative(() => this.native.step(ids, lengths, budget.progress(this.stepsDone)));
        this.stepsDone += 1;
        stepsSince += 1;
        stop = options.signal?.aborted === true || budget.progress(this.stepsDone) >= 1;
        const save = stop || this.stepsDone % saveEvery === 0;
        if (!save && this.stepsDone % logEvery !== 0) continue;
        const milliseconds = performance.now() - since;
        const spent = budget.spent();
        const metrics = this.readable(last, { milliseconds, stepsSince, waited, save, spent });
        if (save) await this.saveLogged(metrics, spent);
        else await logMetrics(this.out, metrics);
        yield { ...metrics, done: budget.done(this.stepsDone) };
        [since, stepsSince, waited] = [performance.now(), 0, 0];
      }
    } finally {
      await feed.return?.(undefined as never);
    }
  }

  async dispose(): Promise<void> {
    await this.native.dispose();
    await this.lock[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private saveLogged(metrics: BaselineMetrics, spent: Spent): Promise<string> {
    const { batch, seed } = this.config.train;
    const saveTensors = async (folder: string): Promise<BaselineState> => {
      await callNative(() => this.native.save(folder));
      const step = this.stepsDone;
      return { step, seed, dataPosition: step * batch, ...spent, vocabulary: this.data.vocabulary, endId: this.data.manifest.endId, dataSha256: hashOfRows(this.data.manifest) };
    };
    return writeCheckpointFolder(this.out, this.config, saveTensors, () => logMetrics(this.out, metrics));
  }

  private readable(
    { step, loss, lr, gradNorm }: NativeBaselineStep,
    { milliseconds, stepsSince, waited, save, spent }: { milliseconds: number; stepsSince: number; waited: number; save: boolean; spent: Spent },
  ): BaselineMetrics {
    const tokens = stepsSince * this.config.train.batch * this.config.model.maxLength;
    const tokensPerSecond = Math.round((1000 * tokens) / milliseconds);
    return { step, loss: { total: loss }, lr, gradNorm, tokensPerSecond, dataWait: waited / milliseconds, ...spent, saved: save };
  }
}

/** A resumed run may be longer or log otherwise; what decides the tensors or the random numbers must be as it was. */
function checkSame(now: BaselineConfig, { config: then }: BaselineCheckpoint): void {
  const fixed = ({ kind, model, train }: BaselineConfig): Record<string, unknown> => ({
    kind, model, 'train.seed': train.seed, 'train.batch': train.batch, 'train.dtype': train.dtype, 'train.muon': train.muon,
  });
  for (const [name, old] of Object.entries(fixed(then))) {
    const value = fixed(now)[name];
    if (JSON.stringify(value) === JSON.stringify(old)) continue;
    throw new LdlmError('ERR_LDLM_CONFIG', `${name} must be as in the checkpoint to resume, ${JSON.stringify(old)}, got ${JSON.stringify(value)}. Choose another --out for a new run`);
  }
}

function nativeTrain({ train }: BaselineConfig): Parameters<ReturnType<typeof loadBaselines>['BaselineTrainer']['create']>[0]['train'] {
  const { batch, accumulate, warmupSteps, cooldown, lr, eps, muon, weightDecay, clip, ema, seed } = train;
  const [beta1, beta2] = train.betas;
  const bfloat16 = train.dtype === 'bfloat16';
  return { batch, accumulate, warmupSteps, cooldown, lr, beta1, beta2, eps, muon, weightDecay, clip, ema, seed, bfloat16 };
}
