// A result as a line of a JSON file, with the machine that it was measured on.

import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { appendFile, mkdir } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { packageRoot, packageVersion } from '../api/package_root.js';

function outputOf(command: string, args: readonly string[]): string | null {
  try {
    return execFileSync(command, args, { cwd: packageRoot(), stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim();
  } catch {
    return null;
  }
}

/** null where this package is no checkout of its own: the repository around it is somebody else's. */
function ownCommit(): string | null {
  return outputOf('git', ['rev-parse', '--show-toplevel']) === realpathSync(packageRoot()) ? outputOf('git', ['rev-parse', '--short', 'HEAD']) : null;
}

/** Call it before the measurement: the load is then that of others. */
export function describeMachine(): Record<string, string | number | null> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    gpu: outputOf('nvidia-smi', ['--query-gpu=name,clocks.sm', '--format=csv,noheader']),
    load1: Number(loadavg()[0]!.toFixed(2)),
    ompWaitPolicy: process.env.OMP_WAIT_POLICY ?? 'passive',
    version: packageVersion(),
    commit: ownCommit(),
  };
}

/** The folders of an absolute path, which say nothing elsewhere; a system that could not run names its files. */
const FOLDERS = /(?<![\w.])(?:\/[\w.@+-]+)+\/(?=[\w.-])/g;

/** Appends to `folder`/`name`.jsonl. Of absolute paths only the names are kept. */
export async function appendResult(folder: string, name: string, result: object): Promise<void> {
  await mkdir(folder, { recursive: true });
  const record = JSON.stringify({ date: new Date().toISOString(), op: name, ...result }, (_, value: unknown) => (typeof value === 'string' ? value.replace(FOLDERS, '') : value));
  await appendFile(join(folder, `${name}.jsonl`), record + '\n');
}
