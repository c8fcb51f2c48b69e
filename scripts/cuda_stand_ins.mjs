// Stand-ins for NVIDIA's libraries, so that libtorch_cuda.so can be loaded on a machine without them. They come to gigabytes, and nothing
// in them is called before a GPU computes. A stand-in has the name of the library; the first one defines every symbol that is asked for,
// as a function that ends the process.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

function output(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (error || status !== 0) throw new Error(`${command} ${args[0]} must end with exit code 0, got ${error?.message ?? `${status}: ${stderr}`}`);
  return stdout;
}

/**
 * Makes a stand-in in `folder` for each library that `library` needs and the loader does not find.
 *
 * @returns the names of those libraries; none where all are there.
 */
export function makeStandIns(library, folder) {
  const linked = output('ldd', [library]).split('\n').map((line) => line.trim());
  const names = linked.filter((line) => line.endsWith('=> not found')).map((line) => line.split(' ')[0]);
  if (names.length === 0) return [];
  // libtorch's own libraries ask for symbols too: libtorch_nvshmem.so.
  const asking = [library, ...linked.map((line) => /=> (\S+\/libtorch_\w+\.so)/.exec(line)?.[1]).filter((path) => path !== undefined)];
  const wanted = asking.flatMap((path) => output('nm', ['-D', '--undefined-only', '--without-symbol-versions', path]).split('\n'));
  const symbols = new Set(wanted.map((line) => line.trim().split(/\s+/).at(-1)).filter((symbol) => /^(?:cu|nccl|nv)/.test(symbol) && !/^cuda/.test(symbol)));
  mkdirSync(folder, { recursive: true });
  const source = join(folder, 'symbols.c');
  writeFileSync(source, [...symbols].map((symbol) => `void ${symbol}(void) { __builtin_trap(); }\n`).join(''));
  const empty = join(folder, 'empty.c');
  writeFileSync(empty, '');
  names.forEach((name, i) => output('cc', ['-w', '-shared', '-fPIC', `-Wl,-soname,${name}`, '-o', join(folder, name), i === 0 ? source : empty]));
  return names;
}
