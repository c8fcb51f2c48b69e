// Which build tools this machine has, and how to get the ones that are missing. Looks only; changes nothing.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { firstLine, runCommand } from './run_command.js';

export interface Tool {
  /** Program to start: a name on PATH or an absolute path. */
  command: string;
  /** First line of what it says about its version. */
  version: string;
}

export interface Toolchain {
  cmake: Tool | null;
  compiler: Tool | null;
  /** Optional: without it CMake's default generator (make) is used. */
  ninja: Tool | null;
  /** Only for the CUDA variant. `command` is the real program, not a wrapper. */
  nvcc: Tool | null;
}

/** How to get a tool that is missing. */
export const toolRemedies = {
  cmake: 'install CMake 3.22 or later (Debian: apt-get install cmake; any machine with pip: python3 -m pip install cmake)',
  compiler: 'install a C++20 compiler (Debian: apt-get install g++), or name one: CXX=<program>',
  ninja: 'install Ninja for faster builds (Debian: apt-get install ninja-build; pip: python3 -m pip install ninja)',
  nvcc: 'install the CUDA 13 toolkit, or name its compiler: CUDACXX=<path of nvcc>, or get it by pip into the active virtual environment: nvidia-cuda-nvcc, nvidia-cuda-crt, nvidia-nvvm, nvidia-cuda-runtime, nvidia-cuda-cccl, all ==13.0.*',
} as const;

function probe(commands: (string | undefined)[], args = ['--version']): Tool | null {
  for (const command of commands) {
    if (!command) continue;
    const version = firstLine(command, args);
    if (version !== null) return { command, version };
  }
  return null;
}

/** nvcc of the pip package nvidia-cuda-nvcc 13, if that Python has it. */
function nvccOfPython(python: string): string | undefined {
  const script = "import importlib.util as u; s = u.find_spec('nvidia'); print(*(s.submodule_search_locations if s else []), sep='')";
  const folder = firstLine(python, ['-c', script]);
  return folder ? join(folder, 'cu13', 'bin', 'nvcc') : undefined;
}

async function findNvcc(torchRoot: string | undefined, env: NodeJS.ProcessEnv): Promise<Tool | null> {
  const candidates = [
    env.CUDACXX,
    env.CUDA_HOME && join(env.CUDA_HOME, 'bin', 'nvcc'),
    'nvcc',
    '/usr/local/cuda/bin/nvcc',
    // pip's nvidia-cuda-nvcc lies beside torch.
    torchRoot && join(dirname(torchRoot), 'nvidia', 'cu13', 'bin', 'nvcc'),
  ];
  const tool = probe(candidates) ?? probe([env.VIRTUAL_ENV && nvccOfPython(join(env.VIRTUAL_ENV, 'bin', 'python'))]);
  if (tool === null) return null;
  // An nvcc on PATH may be a wrapper script, from which CMake guesses a wrong toolkit root; a dry run names the folder
  // of the real one.
  const { output } = await runCommand(tool.command, ['--dryrun', '-x', 'cu', '-c', '/dev/null']);
  const here = /_HERE_=(\S+)/.exec(output)?.[1];
  const real = here === undefined ? tool.command : join(here, 'nvcc');
  const release = /release [\d.]+/.exec((await runCommand(real, ['--version'])).output)?.[0];
  return { command: existsSync(real) ? real : tool.command, version: release === undefined ? tool.version : `nvcc ${release}` };
}

/** Looks for the build tools; `torchRoot` is one more place to look for nvcc. */
export async function findToolchain(torchRoot?: string, env: NodeJS.ProcessEnv = process.env): Promise<Toolchain> {
  return {
    cmake: probe(['cmake']),
    compiler: probe([env.CXX, 'c++', 'g++', 'clang++']),
    ninja: probe(['ninja', 'ninja-build']),
    nvcc: await findNvcc(torchRoot, env),
  };
}
