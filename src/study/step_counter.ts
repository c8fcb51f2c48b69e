// Training steps of many run folders together: what is left of them is the time that is left.

import { latestCheckpoint } from '../api/run_folder.js';

/** Steps of the newest checkpoint of a run folder; 0 if there is none. */
export async function stepsIn(folder: string): Promise<number> {
  return (await latestCheckpoint(folder))?.state.step ?? 0;
}

export class StepCounter {
  private constructor(private readonly done: Map<string, number>, private readonly stepsOfOne: number) {}

  /** Counts what the folders hold already. A folder that is named twice counts once. */
  static async of(folders: readonly string[], stepsOfOne: number): Promise<StepCounter> {
    const entries = [...new Set(folders)].map(async (folder) => [folder, await stepsIn(folder)] as const);
    return new StepCounter(new Map(await Promise.all(entries)), stepsOfOne);
  }

  reached(folder: string, step: number): void {
    this.done.set(folder, step);
  }

  state(): { stepsDone: number; steps: number } {
    return { stepsDone: [...this.done.values()].reduce((sum, step) => sum + step, 0), steps: this.done.size * this.stepsOfOne };
  }
}
