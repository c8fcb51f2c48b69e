// Progress of fetching a model from the hub, for every command that takes one. Shows nothing when nothing has to be fetched.

import { createProgress } from './progress.js';

/** Runs `work` with a callback for its download, shown on stderr. */
export async function showingDownload<T>(source: string, work: (onDownload: (bytes: number, totalBytes: number) => void) => Promise<T>): Promise<T> {
  let progress: ReturnType<typeof createProgress> | undefined;
  try {
    return await work((bytes, total) => {
      progress ??= createProgress({ total, unit: 'B', label: `fetching ${source}`, start: bytes });
      progress.update(bytes);
    });
  } finally {
    progress?.stop();
  }
}
