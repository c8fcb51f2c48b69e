// The libtorch ladder, fetching and the errors of the build, on fake folders; no compiler, no network.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { LdlmError } from '../../src/api/errors.js';
import { buildFailure, relevantLines } from '../../src/build/build_failure.js';
import { cacheFolder, cachedLibtorch, findLibtorch, inspectLibtorch, libtorchMissingMessage } from '../../src/build/libtorch.js';
import { fetchLibtorch, pipFailure } from '../../src/build/libtorch_fetch.js';
import { runCommand } from '../../src/build/run_command.js';

const folder = mkdtempSync(join(tmpdir(), 'ldlm-build-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text = ''): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
}

/** A folder that looks like a libtorch of the given version. */
function fakeLibtorch(name: string, { version = '2.13.0', cuda = false, versionFrom = 'header' } = {}): string {
  const root = join(folder, name);
  const [major, minor, patch] = version.split('.');
  write(join(root, 'include/ATen/ATen.h'));
  write(join(root, 'lib/libtorch_cpu.so'));
  write(join(root, 'lib/libc10.so'));
  if (cuda) write(join(root, 'lib/libtorch_cuda.so'));
  if (versionFrom === 'header') {
    write(join(root, 'include/torch/headeronly/version.h'), `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`);
  } else {
    write(join(root, 'version.py'), `__version__ = '${version}+cu130'\n`);
  }
  return root;
}

function caught(work: () => unknown): LdlmError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(LdlmError);
    return error as LdlmError;
  }
  throw new Error('expected an LdlmError, nothing was thrown');
}

describe('the libtorch ladder', () => {
  it('prefers LDLM_LIBTORCH, then LIBTORCH, then the cache', () => {
    const [own, common, cache] = [fakeLibtorch('own'), fakeLibtorch('common'), join(folder, 'cache')];
    const cached = fakeLibtorch('cache/libtorch-2.13.0-cpu/torch');
    const env = { LDLM_LIBTORCH: own, LIBTORCH: common, LDLM_CACHE: cache };
    expect(findLibtorch('auto', env).found).toMatchObject({ root: own, source: 'LDLM_LIBTORCH', version: '2.13.0', cuda: false });
    expect(findLibtorch('auto', { ...env, LDLM_LIBTORCH: '' }).found).toMatchObject({ root: common, source: 'LIBTORCH' });
    expect(findLibtorch('auto', { LDLM_CACHE: cache }).found).toMatchObject({ root: cached, source: 'cache (cpu)' });
  });

  it('uses the torch of the active virtual environment when nothing else is there', () => {
    const torch = fakeLibtorch('venv/lib/torch');
    const python = join(folder, 'venv/bin/python');
    write(python, `#!/bin/sh\necho ${torch}\n`);
    execFileSync('chmod', ['+x', python]);
    const { found, tried } = findLibtorch('auto', { VIRTUAL_ENV: join(folder, 'venv'), LDLM_CACHE: join(folder, 'no-cache') });
    expect(found?.root).toBe(torch);
    expect(tried.join()).toContain('cache (cpu)');
  });

  it('uses it before the cache when it is asked for, and nothing else', () => {
    const torch = fakeLibtorch('asked/lib/torch');
    const python = join(folder, 'asked/bin/python');
    write(python, `#!/bin/sh\necho ${torch}\n`);
    execFileSync('chmod', ['+x', python]);
    fakeLibtorch('filled/libtorch-2.13.0-cpu/torch');
    const env = { LDLM_USE_PYTORCH: '1', VIRTUAL_ENV: join(folder, 'asked'), LDLM_CACHE: join(folder, 'filled') };
    expect(findLibtorch('auto', env).found?.root).toBe(torch);
    write(python, '#!/bin/sh\necho\n');
    expect(caught(() => findLibtorch('auto', env)).message).toMatch(/LDLM_USE_PYTORCH=1 must find the torch of a Python, but .*python has no torch/);
  });

  it('remembers everything it tried and lists three ways to mend it', () => {
    const { found, tried } = findLibtorch('auto', { LIBTORCH: join(folder, 'nowhere'), LDLM_CACHE: join(folder, 'empty') });
    expect(found).toBeNull();
    expect(tried).toHaveLength(4);
    const message = libtorchMissingMessage(tried);
    for (const part of ['nowhere does not exist', 'libtorch-2.13.0-cuda', 'LDLM_USE_PYTORCH', '1. fetch', '2. use', '3. name']) expect(message).toContain(part);
  });

  it('stops at an unusable LDLM_LIBTORCH instead of looking elsewhere', () => {
    const error = caught(() => findLibtorch('auto', { LDLM_LIBTORCH: folder, LIBTORCH: fakeLibtorch('common') }));
    expect(error.code).toBe('ERR_LDLM_INVALID_ARGUMENT');
    expect(error.message).toContain(`LDLM_LIBTORCH must be a usable libtorch folder, got ${folder}, which holds no include/ATen/ATen.h`);
  });

  it('passes over a libtorch without CUDA when CUDA is wanted', () => {
    const { found, tried } = findLibtorch('cuda', { LIBTORCH: fakeLibtorch('plain'), LDLM_CACHE: join(folder, 'empty') });
    expect(found).toBeNull();
    expect(tried[0]).toContain('has no CUDA libraries');
  });

  it('takes the cache folder from LDLM_CACHE, then XDG_CACHE_HOME', () => {
    expect(cacheFolder({ LDLM_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/ldlm');
    expect(cachedLibtorch('cpu', { LDLM_CACHE: '/a' })).toBe('/a/libtorch-2.13.0-cpu');
  });
});

describe('inspecting a libtorch', () => {
  it.each(['2.11.0', '2.14.1'])('accepts version %s', (version) => {
    expect(inspectLibtorch(fakeLibtorch(`v${version}`, { version }), 'test', {})).toMatchObject({ version });
  });

  it.each(['1.13.1', '2.10.9', '2.15.0'])('refuses version %s unless LDLM_ANY_LIBTORCH=1', (version) => {
    const root = fakeLibtorch(`v${version}`, { version });
    expect(inspectLibtorch(root, 'test', {})).toContain(`is version ${version}; it must be 2.11 to 2.14`);
    expect(inspectLibtorch(root, 'test', { LDLM_ANY_LIBTORCH: '1' })).toMatchObject({ version });
  });

  it('reads the version of a wheel from version.py when the headers do not tell it', () => {
    expect(inspectLibtorch(fakeLibtorch('script', { versionFrom: 'script' }), 'test', {})).toMatchObject({ version: '2.13.0' });
  });

  it('does not take a CUDA wheel installed without the nvidia packages for a CUDA libtorch', () => {
    const root = fakeLibtorch('site/torch', { cuda: true });
    write(join(folder, 'site/nvidia/cu13/lib/libcudart.so.13'));
    expect(inspectLibtorch(root, 'test', {})).toMatchObject({ cuda: false });
    write(join(folder, 'site/nvidia/cu13/lib/libcublas.so.13'));
    expect(inspectLibtorch(root, 'test', {})).toMatchObject({ cuda: true });
  });
});

describe('fetching libtorch', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it.each([
    ['OSError: [Errno 28] No space left on device', 'the disk is full'],
    ['NewConnectionError: Failed to establish a new connection', 'cannot reach a package index'],
    ['ERROR: Could not find a version that satisfies torch (from versions: 1.0)', 'there is no torch 2.13.0 wheel for this Python'],
    ['PermissionError: [Errno 13] Permission denied', 'pip may not write to /cache'],
    ['something else', 'pip failed to fetch libtorch'],
  ])('explains "%s"', (output, meaning) => {
    const { code, message } = pipFailure(output, '/cache');
    expect(code).toBe('ERR_LDLM_IO');
    expect(message).toContain(meaning);
    expect(message).toMatch(/\n {2}1\. .*\n(.*\n)* {2}2\. /);
  });

  it('says so when there is no Python', async () => {
    vi.stubEnv('VIRTUAL_ENV', join(folder, 'no-venv'));
    await expect(fetchLibtorch('cpu')).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringContaining('could not be run\n  1. install Python 3') });
  });

  it('says so when the cache folder cannot be made', async () => {
    write(join(folder, 'file'));
    vi.stubEnv('LDLM_CACHE', join(folder, 'file', 'cache'));
    await expect(fetchLibtorch('cpu')).rejects.toMatchObject({ code: 'ERR_LDLM_IO', message: expect.stringContaining('must be writable') });
  });
});

describe('a failed build', () => {
  it('shows the first errors without command lines and progress, and names the log', () => {
    const output = ['[1/9] Building CXX a.o', '/usr/bin/c++ -Werror -c a.cpp', "a.cpp:1:2: error: 'x' was not declared", '    1 | x', '[2/9] Building CXX b.o', 'ninja: build stopped'];
    expect(relevantLines(output.join('\n'))).toEqual(["a.cpp:1:2: error: 'x' was not declared", '    1 | x']);
    const error = buildFailure('compiling', { code: 1, output: output.join('\n') }, '/log');
    expect(error.code).toBe('ERR_LDLM_NATIVE');
    expect(error.message).toContain('everything that was printed: /log');
  });

  it('suggests fewer jobs when the compiler was killed', () => {
    const { message } = buildFailure('compiling', { code: 1, output: 'c++: fatal error: Killed signal terminated program cc1plus' }, '/log');
    expect(message).toContain('--jobs 1');
  });

  it('reports a program that cannot be started as a result, not as a crash', async () => {
    expect(await runCommand(join(folder, 'no-such-program'), [])).toMatchObject({ code: null, output: expect.stringContaining('ENOENT') });
  });
});
