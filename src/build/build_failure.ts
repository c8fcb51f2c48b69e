// Makes a readable error of a failed CMake or compiler run: the lines that matter, a hint where one is known, the log.

import { LdlmError } from '../api/errors.js';
import type { CommandResult } from './run_command.js';

const shownLines = 12;
const telling = /(?:\berror\b|fatal|undefined reference|cannot find|CMake Error|internal compiler error|Killed|No space left)/i;
// Compiler command lines and progress lines mention "error" in flags and file names.
const noise = /^(?:\$ |\[\s*\d|FAILED: |\/\S+\s-|ninja: build stopped|ninja: error: rebuilding|ERROR OMG |-- )/;

const hints: [RegExp, string][] = [
  [/Killed|cannot allocate memory|virtual memory exhausted/i, 'the compiler ran out of memory; build with fewer processes: npx ldlm build --jobs 1'],
  [/No space left on device/, 'the disk is full: free some space'],
  [/GTest/, 'the native tests need GoogleTest (Debian: apt-get install libgtest-dev)'],
  [/std=c\+\+20|concept|requires C\+\+20/i, 'the compiler must know C++20: g++ 11, clang 14 or later (name another one: CXX=<program>)'],
  [/unsupported GNU version|host compiler/i, 'nvcc does not take this host compiler; name an older one: CUDAHOSTCXX=<program>'],
];

/** The lines of a build's output that say what went wrong: the first errors with what follows them, or the tail. */
export function relevantLines(output: string): string[] {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const shown = new Set<number>();
  lines.forEach((line, i) => {
    if (shown.size >= shownLines || !telling.test(line) || noise.test(line)) return;
    for (const k of [i, i + 1, i + 2]) if (k < lines.length && !noise.test(lines[k]!)) shown.add(k);
  });
  const picked = [...shown].sort((a, b) => a - b).map((i) => lines[i]!);
  return picked.length > 0 ? picked.slice(0, shownLines) : lines.slice(-shownLines);
}

/** The error for a failed stage ("configuring" or "compiling"); the whole output is in the log at `logPath`. */
export function buildFailure(stage: string, result: CommandResult, logPath: string): LdlmError {
  const lines = relevantLines(result.output);
  const hint = hints.find(([pattern]) => lines.some((line) => pattern.test(line)))?.[1];
  const message = [
    `${stage} the native addon failed (exit code ${result.code ?? 'none'}):`,
    ...lines.map((line) => `    ${line}`),
    ...(hint === undefined ? [] : [hint]),
    `everything that was printed: ${logPath}`,
  ];
  return new LdlmError('ERR_LDLM_NATIVE', message.join('\n'), { cause: result.output });
}
