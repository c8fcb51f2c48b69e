// How the addon is loaded (lazily, with errors that say what to do), how C++ errors are wrapped, and what the compiled
// command line answers. Runs dist/ in child processes; needs no built addon.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LdlmError } from '../../src/api/errors.js';
import { loadNative, wrapNativeError } from '../../src/api/native.js';
import { addonRefused } from '../../src/api/native_errors.js';
import { packageRoot, packageVersion } from '../../src/api/package_root.js';

const folder = mkdtempSync(join(tmpdir(), 'ldlm-native-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function caught(work: () => unknown): LdlmError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(LdlmError);
    return error as LdlmError;
  }
  throw new Error('expected an LdlmError, nothing was thrown');
}

describe('loading the addon', () => {
  beforeEach(() => void vi.stubEnv('LDLM_ADDON', join(folder, 'ldlm.node')));
  afterEach(() => void vi.unstubAllEnvs());

  it('says that a missing addon is not built', () => {
    const { code, message } = caught(loadNative);
    expect(code).toBe('ERR_LDLM_NATIVE');
    expect(message).toMatch(/LDLM_ADDON must name an addon file[^]*1\. unset LDLM_ADDON[^]*2\. build the addon: npx ldlm build/);
  });

  it('says that a garbage file is not an addon for this machine, and keeps the loader text as cause', () => {
    writeFileSync(join(folder, 'ldlm.node'), 'this is not a shared library, it is only text that is long enough');
    const error = caught(loadNative);
    expect(error.message).toContain(`not an addon for this machine (${process.platform} ${process.arch})`);
    expect(error.cause).toMatchObject({ code: 'ERR_DLOPEN_FAILED' });
  });

  it.each([
    ['libtorch_cpu.so: cannot open shared object file: No such file or directory', 'the addon needs libtorch_cpu.so, which was not found'],
    ['/x/ldlm.node: undefined symbol: _ZN2at4onesE', 'do not belong together (undefined symbol _ZN2at4onesE)'],
    ["/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /x/ldlm.node)", 'too old: GLIBCXX_3.4.30 is missing'],
    ['/x/ldlm.node: wrong ELF class: ELFCLASS32', 'not an addon for this machine'],
  ])('maps "%s"', (text, meaning) => {
    const { message } = addonRefused('/x/ldlm.node', new Error(text));
    expect(message).toContain(meaning);
    expect(message).toMatch(/\n {2}1\. .*\n {2}2\. /);
  });
});

describe('an error from C++', () => {
  it('becomes an LdlmError with the stack of the caller and the native text as cause', () => {
    const native = Object.assign(new Error('shape mismatch'), { code: 'TORCH', nativeStack: 'frame #0: at::add' });
    const stack = (function callerOfNative() {
      return new Error().stack;
    })();
    const error = wrapNativeError(native, stack) as LdlmError;
    expect(error).toBeInstanceOf(LdlmError);
    expect(error).toMatchObject({ code: 'ERR_LDLM_TORCH', message: 'shape mismatch', cause: 'frame #0: at::add' });
    expect(error.stack).toMatch(/^LdlmError \[ERR_LDLM_TORCH\]: shape mismatch\n {4}at callerOfNative/);
  });

  it('leaves every other error as it is', () => {
    const other = new TypeError('not ours');
    expect(wrapNativeError(other)).toBe(other);
    expect(wrapNativeError('text')).toBe('text');
  });
});

describe('the compiled package', () => {
  const main = join(packageRoot(), 'dist/cli/main.js');
  const ldlm = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

  it.each([
    ['importing the package', ['--input-type=module', '-e', "await import('ldlm');"]],
    ['ldlm --help', [main, '--help']],
  ])('%s never loads libtorch', (_, args) => {
    // Printed at exit, when everything that would be loaded is.
    const hook = "process.on('exit', () => process.stderr.write(require('fs').readFileSync('/proc/self/maps', 'utf8')))";
    writeFileSync(join(folder, 'hook.cjs'), hook);
    const { status, stderr } = spawnSync(process.execPath, ['--require', join(folder, 'hook.cjs'), ...args], { cwd: packageRoot(), encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stderr).toContain('/node');
    expect(stderr).not.toMatch(/libtorch|libc10|ldlm\.node/);
  });

  it('prints its version', () => {
    expect(ldlm('--version')).toMatchObject({ status: 0, stdout: packageVersion() + '\n' });
  });

  it('exits with 2 on wrong usage, and names the fault on stderr', () => {
    expect(ldlm('no-such-command')).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining("unknown command 'no-such-command'") });
    expect(ldlm('build', '--variant', 'tpu')).toMatchObject({ status: 2, stderr: expect.stringContaining('auto, cpu, cuda') });
    expect(ldlm('build', '--jobs', '0')).toMatchObject({ status: 2, stderr: expect.stringContaining('positive whole number') });
  });

  it('prints a message without a stack, exit 1, for an LdlmError', () => {
    const env = { ...process.env, LDLM_LIBTORCH: folder };
    const { status, stderr } = spawnSync(process.execPath, [main, 'build'], { encoding: 'utf8', env });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: LDLM_LIBTORCH must be/);
    expect(stderr).not.toContain('    at ');
  });

  it('doctor reports a missing addon as JSON with the command that mends it, exit 1', () => {
    const env = { ...process.env, LDLM_ADDON: join(folder, 'absent.node') };
    const { status, stdout } = spawnSync(process.execPath, [main, 'doctor', '--json'], { encoding: 'utf8', env });
    const report = JSON.parse(stdout) as { ok: boolean; checks: { name: string; state: string; remedy?: string }[] };
    expect(status).toBe(1);
    expect(report.ok).toBe(false);
    expect(report.checks.find(({ name }) => name === 'addon')).toMatchObject({ state: 'missing', remedy: 'npx ldlm build' });
  });
});
