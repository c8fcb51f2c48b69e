// Progress of work in several stages, each with a total of its own.

import { createProgress, type Progress } from './progress.js';

/** One progress display after another. */
export function progressOfStages(): { update: (stage: string, done: number, total: number) => void; stop: () => void } {
  let shown: { stage: string; progress: Progress } | undefined;
  return {
    update(stage, done, total) {
      if (shown?.stage !== stage) {
        shown?.progress.stop();
        shown = { stage, progress: createProgress({ total, unit: 'texts', label: stage }) };
      }
      shown.progress.update(done);
    },
    stop: () => shown?.progress.stop(),
  };
}
