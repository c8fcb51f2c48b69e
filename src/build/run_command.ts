// Starts one program and collects what it prints, line by line, with an optional log file. No shell is involved.

import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';

/** How a program ended: exit code (null when killed by a signal or not started) and its mixed output. */
export interface CommandResult {
  code: number | null;
  output: string;
}

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Receives every line as it is printed. */
  log?: Writable;
  onLine?: (line: string) => void;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs `command` to its end; a program that cannot be started counts as code null with the reason as output. */
export async function runCommand(command: string, args: string[], options: CommandOptions = {}): Promise<CommandResult> {
  const lines: string[] = [];
  const take = (line: string): void => {
    lines.push(line);
    options.log?.write(line + '\n');
    options.onLine?.(line);
  };
  take(`$ ${[command, ...args].join(' ')}`);
  const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] });
  // A signal to this process alone (not Ctrl-C, which reaches the whole group) must not leave a download or a compiler behind.
  const passOn = (signal: NodeJS.Signals): void => {
    child.kill(signal);
    stopPassing();
    process.kill(process.pid, signal);
  };
  const stopPassing = (): void => signals.forEach((signal) => void process.off(signal, passOn));
  signals.forEach((signal) => process.once(signal, passOn));
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', take);
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      take(error.message);
      resolve(null);
    });
    child.on('close', resolve);
  });
  stopPassing();
  return { code, output: lines.join('\n') };
}

/** First line that `command` prints (stdout, else stderr) when it exits with 0 within 20 s, otherwise null. */
export function firstLine(command: string, args: string[]): string | null {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
  if (status !== 0) return null;
  return (stdout || stderr).split('\n')[0]?.trim() ?? '';
}
