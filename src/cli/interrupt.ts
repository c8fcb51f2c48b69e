// Ctrl-C: the first one asks the work to stop (finish the step, save), a second one ends the process at once. Exit code 130.

import { exitNow } from '../api/native.js';

/** What a program that was stopped by SIGINT exits with. */
export const INTERRUPTED = 130;

/** Runs `work` with a signal that aborts on the first Ctrl-C or SIGTERM; sets the exit code if that happened. */
export async function interruptible<T>(hint: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) exitNow(INTERRUPTED);
    controller.abort();
    process.stderr.write(`\n${hint} Press Ctrl-C again to stop at once.\n`);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    if (controller.signal.aborted) process.exitCode = INTERRUPTED;
  }
}
