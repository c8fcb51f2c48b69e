// How long a training goes on: a number of steps, or a time. The share that is done drives the cooldown and the progress bar.

/** At most one of the two; neither: `train.steps`. */
export interface TimeLimit {
  /** Minutes by the clock. */
  minutes?: number;
  /** Minutes of CPU time of the whole process: what a busy machine does not change much. */
  cpuMinutes?: number;
}

/** Time spent, those of earlier runs included. */
export interface Spent {
  seconds: number;
  cpuSeconds: number;
}

export class Budget {
  private readonly start = performance.now();
  private readonly cpu = process.cpuUsage();

  constructor(private readonly steps: number, private readonly limit: TimeLimit, private readonly before: Spent) {}

  spent(): Spent {
    const { user, system } = process.cpuUsage(this.cpu);
    return { seconds: this.before.seconds + (performance.now() - this.start) / 1000, cpuSeconds: this.before.cpuSeconds + (user + system) / 1e6 };
  }

  /** What is done of what total, in seconds or steps. */
  done(step: number): { done: number; total: number; unit: string } {
    const { minutes, cpuMinutes } = this.limit;
    const { seconds, cpuSeconds } = this.spent();
    if (minutes !== undefined) return { done: seconds, total: 60 * minutes, unit: 's' };
    if (cpuMinutes !== undefined) return { done: cpuSeconds, total: 60 * cpuMinutes, unit: 's CPU' };
    return { done: step, total: this.steps, unit: 'steps' };
  }

  /** The share of the training that is done, in [0, 1]. */
  progress(step: number): number {
    const { done, total } = this.done(step);
    return Math.min(1, done / total);
  }
}
