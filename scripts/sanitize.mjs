// Builds the native tests with AddressSanitizer and UndefinedBehaviorSanitizer in build/sanitize and runs them: `npm run sanitize`.
// A full build: minutes. What is libtorch's own is left out by the lists beside this file. `--filter PATTERN` picks tests, `--jobs N`.
// Leaks are not looked for: libtorch and its libraries keep memory until the process ends, and on purpose.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { buildEnvironment } from '../dist/build/cmake.js';
import { findLibtorch } from '../dist/build/libtorch.js';
import { findToolchain } from '../dist/build/toolchain.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const folder = join(root, 'build', 'sanitize');
const { values } = parseArgs({ options: { filter: { type: 'string', default: '*' }, jobs: { type: 'string', default: '2' } } });

function run(command, args, env) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args[0]} must end with exit code 0, got ${status}`);
}

const { found, tried } = findLibtorch();
if (found === null) throw new Error(`a libtorch must be found first (npm run setup): ${tried.join('; ')}`);
const { ninja, nvcc } = await findToolchain(found.root, process.env);
const env = buildEnvironment(nvcc);
const generator = ninja && !existsSync(join(folder, 'CMakeCache.txt')) ? ['-G', 'Ninja'] : [];
// RelWithDebInfo without NDEBUG would switch on checks inside libtorch's headers that its library was built without.
const definitions = ['LDLM_SANITIZE=ON', 'LDLM_TESTS=ON', 'CMAKE_BUILD_TYPE=None', 'CMAKE_CXX_FLAGS_NONE=-O1 -g1 -DNDEBUG', `LDLM_TORCH_ROOT=${found.root}`];
run('cmake', ['-S', root, '-B', folder, ...generator, ...definitions.map((text) => `-D${text}`)], env);
run('cmake', ['--build', folder, '--parallel', values.jobs, '--target', 'ldlm_test'], env);
run(join(folder, 'ldlm_test'), [`--gtest_filter=${values.filter}`], {
  // libtorch.so is not instrumented: its containers look overflown, and its symbols are defined once more in the test program.
  ASAN_OPTIONS: 'detect_leaks=0:detect_odr_violation=0:detect_container_overflow=0:strict_string_checks=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: `print_stacktrace=1:halt_on_error=1:suppressions=${join(here, 'ubsan_suppressions.txt')}`,
});
console.log('sanitize: clean');
