// Compiles and links the CUDA variant and loads the addon, on a machine that needs no GPU: nothing but a compiler reads the code behind
// LDLM_CUDA. Needs a libtorch built with CUDA 13 and nvcc 13; says in one line what is missing and skips (exit code 0) where they are not.
//
//   node scripts/check_cuda.mjs           everything anew, in build/cuda (minutes)
//   node scripts/check_cuda.mjs --quick   only what differs from the CPU variant; the rest is linked from build/native (part of `npm test`)
//   --fetch                               gets nvcc by pip where there is none (100 MB, once), beside the fetched libtorch
//   LDLM_LIBTORCH=<torch folder>, CUDACXX=<nvcc>, LDLM_CUDA_ARCHITECTURES='80-real;90a-real', --jobs 1

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { buildEnvironment } from '../dist/build/cmake.js';
import { cacheFolder, findLibtorch } from '../dist/build/libtorch.js';
import { pythonCommand } from '../dist/build/libtorch_fetch.js';
import { findToolchain, toolRemedies } from '../dist/build/toolchain.js';
import { makeStandIns } from './cuda_stand_ins.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const architectures = process.env.LDLM_CUDA_ARCHITECTURES || '80-real;90a-real';
const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, fetch: { type: 'boolean', default: false }, jobs: { type: 'string', default: '1' } },
});
const cpuBuild = join(root, 'build', 'native');
const folder = join(root, 'build', options.quick ? 'cuda-quick' : 'cuda');
const compilerFolder = join(cacheFolder(), 'nvcc-13.0');
const compilerPackages = ['nvidia-cuda-nvcc', 'nvidia-cuda-crt', 'nvidia-nvvm', 'nvidia-cuda-cccl', 'nvidia-cuda-runtime'].map((name) => `${name}==13.0.*`);

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
    LDLM_CPU_BUILD: options.quick ? cpuBuild : '',
    LDLM_TORCH_ROOT: libtorch.root,
    LDLM_NAPI_INCLUDES: napiIncludes(),
    CMAKE_CUDA_COMPILER: nvcc.command,
    CMAKE_CUDA_ARCHITECTURES: architectures,
  };
  const defined = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  const env = buildEnvironment(nvcc);
  run('cmake', ['-S', root, '-B', folder, ...(ninja ? ['-G', 'Ninja'] : []), ...defined], env);
  run('cmake', ['--build', folder, '--parallel', options.jobs, '--target', 'ldlm_node'], env);
}

// In a process of its own: an addon that cannot be loaded may take the process with it.
function load(libtorch) {
  const standIns = makeStandIns(join(libtorch.root, 'lib', 'libtorch_cuda.so'), join(folder, 'stand-ins'));
  const script = `
    const holder = { exports: {} };
    process.dlopen(holder, process.argv[1]);
    const { torchVersion, cudaAvailable, shutdown } = holder.exports;
    console.log('check_cuda: the addon loads, libtorch ' + torchVersion + ', a usable GPU: ' + (cudaAvailable ? 'yes' : 'no'));
    shutdown();`;
  const path = [...(standIns.length > 0 ? [join(folder, 'stand-ins')] : []), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  run(process.execPath, ['-e', script, join(folder, 'ldlm.node')], { ...process.env, ...(path && { LD_LIBRARY_PATH: path }) });
  if (standIns.length > 0) console.log(`check_cuda: ${standIns.length} libraries that only a GPU needs were stood in for: ${standIns.join(', ')}`);
}

/** nvcc 13 by pip, into a temporary folder that is renamed when complete. Returns why not, or nothing. */
function fetchCompiler() {
  const temporary = `${compilerFolder}.${process.pid}.tmp`;
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore', '--no-compile', '--no-deps', '--target', temporary];
  console.log(`check_cuda: fetching nvcc 13.0 with pip (100 MB) into ${compilerFolder}`);
  const { status, stderr, error } = spawnSync(pythonCommand(), [...install, ...compilerPackages], { stdio: ['ignore', 'inherit', 'pipe'], encoding: 'utf8' });
  if (status === 0) renameSync(temporary, compilerFolder);
  rmSync(temporary, { recursive: true, force: true });
  return status === 0 ? undefined : `pip could not fetch nvcc: ${error?.message ?? stderr.trim().split('\n').at(-1)}`;
}

async function findCompiler(libtorch) {
  const fetched = join(compilerFolder, 'nvidia', 'cu13', 'bin', 'nvcc');
  const find = () => findToolchain(libtorch.root, existsSync(fetched) && !process.env.CUDACXX ? { ...process.env, CUDACXX: fetched } : process.env);
  const tools = await find();
  if (tools.nvcc !== null || !options.fetch) return { tools };
  const reason = fetchCompiler();
  return reason === undefined ? { tools: await find() } : { tools, reason };
}

async function missing() {
  const { found, tried } = findLibtorch();
  // The wheel that `ldlm build` fetches for the CPU is a CUDA build without NVIDIA's libraries: enough to compile and link.
  if (found === null) return { reason: `no libtorch was found (${tried.join('; ')})` };
  if (!existsSync(join(found.root, 'lib', 'libtorch_cuda.so'))) return { reason: `${found.root} must hold lib/libtorch_cuda.so, it is a libtorch without CUDA` };
  const { tools, reason } = await findCompiler(found);
  if (reason) return { reason };
  if (tools.nvcc === null) return { reason: `nvcc was not found: node scripts/check_cuda.mjs --fetch, or ${toolRemedies.nvcc}` };
  if (!/release 13\./.test(tools.nvcc.version)) return { reason: `nvcc must be of CUDA 13 as libtorch is, got ${tools.nvcc.version}` };
  if (tools.cmake === null) return { reason: toolRemedies.cmake };
  if (options.quick && !existsSync(join(cpuBuild, 'libldlm_core.a'))) return { reason: `${cpuBuild} must hold a finished CPU build: npm run setup` };
  return { libtorch: found, tools };
}

const started = performance.now();
const { reason, libtorch, tools } = await missing();
if (reason) {
  console.log(`check_cuda: skipped: ${reason}`);
} else {
  console.log(`check_cuda: libtorch ${libtorch.version}, ${tools.nvcc.version}, ${architectures}`);
  compile(libtorch, tools);
  load(libtorch);
  console.log(`check_cuda: compiled, linked and loaded in ${((performance.now() - started) / 1000).toFixed(0)} s`);
}
