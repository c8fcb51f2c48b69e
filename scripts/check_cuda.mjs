// Compiles and links the CUDA variant of the whole tree and loads the addon, on a machine that needs no GPU: nothing but a compiler
// reads the code behind LDLM_CUDA. Needs a CUDA libtorch and nvcc 13; says what is missing and skips (exit code 0) where they are not.
//
//   LDLM_LIBTORCH=<CUDA torch folder> CUDACXX=<nvcc> node scripts/check_cuda.mjs [--folder build/cuda] [--jobs 1]

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { buildEnvironment } from '../dist/build/cmake.js';
import { findLibtorch } from '../dist/build/libtorch.js';
import { findToolchain, toolRemedies } from '../dist/build/toolchain.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const architectures = process.env.LDLM_CUDA_ARCHITECTURES || '80-real;90a-real';
const { values: options } = parseArgs({ options: { folder: { type: 'string', default: 'build/cuda' }, jobs: { type: 'string', default: '1' } } });
const folder = resolve(root, options.folder);

function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args[0]} must end with exit code 0, got ${status}`);
}

function napiIncludes() {
  const require = createRequire(import.meta.url);
  // node-api-headers is a dependency of cmake-js, so it is resolved from there.
  const headers = createRequire(require.resolve('cmake-js/bin/cmake-js')).resolve('node-api-headers/package.json');
  return `${join(dirname(headers), 'include')};${dirname(require.resolve('node-addon-api/package.json'))}`;
}

function compile(libtorch, { nvcc, ninja }) {
  const definitions = {
    LDLM_CUDA: 'ON',
    LDLM_TORCH_ROOT: libtorch.root,
    LDLM_NAPI_INCLUDES: napiIncludes(),
    CMAKE_CUDA_COMPILER: nvcc.command,
    CUDAToolkit_ROOT: dirname(dirname(nvcc.command)),
    CMAKE_CUDA_ARCHITECTURES: architectures,
  };
  const defined = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  const env = buildEnvironment(nvcc);
  run('cmake', ['-S', root, '-B', folder, ...(ninja ? ['-G', 'Ninja'] : []), ...defined], env);
  run('cmake', ['--build', folder, '--parallel', options.jobs, '--target', 'ldlm_node'], env);
}

// In a process of its own: an addon that cannot be loaded may take the process with it.
function load() {
  const script = `
    const holder = { exports: {} };
    process.dlopen(holder, process.argv[1]);
    const { torchVersion, cudaAvailable, shutdown } = holder.exports;
    console.log('check_cuda: the addon loads, libtorch ' + torchVersion + ', a usable GPU: ' + (cudaAvailable ? 'yes' : 'no'));
    shutdown();`;
  run(process.execPath, ['-e', script, join(folder, 'ldlm.node')]);
}

async function missing() {
  const { found, tried } = findLibtorch('cuda');
  if (found === null) return { reason: `no CUDA libtorch was found (${tried.join('; ')})` };
  const tools = await findToolchain(found.root);
  if (tools.nvcc === null) return { reason: `nvcc was not found: ${toolRemedies.nvcc}` };
  if (!/release 13\./.test(tools.nvcc.version)) return { reason: `nvcc must be of CUDA 13 as libtorch is, got ${tools.nvcc.version}` };
  if (tools.cmake === null) return { reason: toolRemedies.cmake };
  return { libtorch: found, tools };
}

const { reason, libtorch, tools } = await missing();
if (reason) {
  console.log(`check_cuda: skipped: ${reason}`);
} else {
  console.log(`check_cuda: libtorch ${libtorch.version}, ${tools.nvcc.version}, ${architectures}`);
  compile(libtorch, tools);
  load();
}
