// What a training run writes down beside its checkpoints: metrics.jsonl, an event file for TensorBoard, and in both what the collapse alarm
// sees, once of each kind.

import type { LdlmConfig } from '../config/types.js';
import { type CollapseWarning, warningsAt, type WarningKind } from '../watch/collapse_alarm.js';
import { configurationText, samplesText, summaryOf, warningTexts } from '../watch/run_summary.js';
import { TensorboardLog } from '../watch/tensorboard_log.js';
import { type CheckpointState, logMetrics, readMetrics } from './run_folder.js';
import type { TrainMetrics } from './train_metrics.js';

export class RunLog {
  private constructor(
    private readonly run: string,
    private readonly config: LdlmConfig,
    private readonly history: TrainMetrics[],
    private readonly warned: Set<WarningKind>,
    private readonly tensorboard: TensorboardLog | null,
  ) {}

  /** Continues the log of `run`, which holds nothing of steps after `stepsDone`. */
  static async open(run: string, config: LdlmConfig, { stepsDone, tensorboard }: { stepsDone: number; tensorboard: boolean }): Promise<RunLog> {
    const history = await readMetrics(run);
    const warned = new Set(history.flatMap(({ warnings = [] }) => warnings.map(({ kind }) => kind)));
    const events = tensorboard ? await TensorboardLog.open(run, stepsDone) : null;
    await events?.add(stepsDone, [configurationText(config)]);
    return new RunLog(run, config, history, warned, events);
  }

  /** Gives `metrics` the warnings that they are the first to raise, and writes them; `state` is that of a checkpoint of the same step. */
  async add(metrics: TrainMetrics, state?: CheckpointState): Promise<void> {
    this.history.push(metrics);
    const warnings = this.newWarnings();
    if (warnings.length > 0) metrics.warnings = warnings;
    if (state) metrics.timesteps = timestepsOf(state);
    await logMetrics(this.run, metrics);
    await this.tensorboard?.add(metrics.step, summaryOf(metrics, this.config, state));
  }

  /** Gives the metrics that were added last the texts sampled from their checkpoint, and writes these as a line of their own. */
  async addSamples(metrics: TrainMetrics, samples: string[]): Promise<void> {
    metrics.samples = samples;
    const warnings = this.newWarnings();
    if (warnings.length > 0) metrics.warnings = [...(metrics.warnings ?? []), ...warnings];
    await logMetrics(this.run, { step: metrics.step, samples, ...(warnings.length > 0 && { warnings }) });
    await this.tensorboard?.add(metrics.step, [...samplesText(samples), ...warningTexts(warnings)]);
  }

  private newWarnings(): CollapseWarning[] {
    const warnings = warningsAt(this.history, this.config).filter(({ kind }) => !this.warned.has(kind));
    for (const { kind } of warnings) this.warned.add(kind);
    return warnings;
  }
}

/** Checkpoints go when there are newer ones; what is to be seen of them stays. */
function timestepsOf({ lossByTimestep, timesteps }: CheckpointState): NonNullable<TrainMetrics['timesteps']> {
  const short = (value: number): number => Number(value.toPrecision(5));
  return { lossByU: lossByTimestep.map((loss) => (loss === null ? null : short(loss))), cumulative: timesteps.cumulative.map(short) };
}
