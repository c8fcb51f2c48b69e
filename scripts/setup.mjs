// From a fresh clone to a built checkout: packages, TypeScript, native addon. Plain JavaScript without dependencies,
// because it runs before there are any. `--with-tests` builds the native tests too; `--run COMMAND` starts an ldlm command at the end.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const withTests = process.argv.includes('--with-tests');
const runAt = process.argv.indexOf('--run');
const started = performance.now();

class SetupError extends Error {}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw new SetupError(`${command} could not be started: ${error.message}`);
  if (status !== 0) throw new SetupError(`${command} ${args.join(' ')} failed with exit code ${status}`);
}

function stage(name, work) {
  const start = performance.now();
  const note = work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stderr.write(`setup: ${name} ${note ?? 'done'} (${seconds} s)\n`);
}

/** True when node_modules is not what package-lock.json asks for. Compares contents: a checkout sets new file times. */
function packagesAreStale() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return true;
  const packages = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;
  const present = packages(installed);
  return Object.entries(packages(join(root, 'package-lock.json'))).some(([path, wanted]) => {
    if (path === '') return false;
    const found = present[path];
    // Optional packages of other platforms are not installed.
    return found === undefined ? !wanted.optional && !wanted.devOptional : found.version !== wanted.version;
  });
}

function installPackages() {
  if (!packagesAreStale()) return 'up to date';
  process.stderr.write('setup: node_modules is missing or differs from package-lock.json: npm ci\n');
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund']);
}

function compileTypeScript() {
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']);
}

function compilerFindsGoogleTest() {
  const compiler = process.env.CXX || 'c++';
  const { status } = spawnSync(compiler, ['-E', '-x', 'c++', '-'], { input: '#include <gtest/gtest.h>\n', stdio: ['pipe', 'ignore', 'ignore'] });
  return status === 0;
}

const googleTestMissing = `the native tests need GoogleTest, which was not found. Ways to mend it:
  1. install it: apt-get install libgtest-dev (Debian, Ubuntu), dnf install gtest-devel (Fedora), brew install googletest
  2. build it from its source with CMake, install it, and name the place: GTest_ROOT=<prefix> npm test`;

function provideGoogleTest() {
  if (process.env.GTest_ROOT || process.env.GTEST_ROOT || compilerFindsGoogleTest()) return 'found';
  const canInstall = process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0;
  if (!canInstall) throw new SetupError(googleTestMissing);
  process.stderr.write('setup: GoogleTest is missing: apt-get install libgtest-dev\n');
  try {
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'libgtest-dev']);
  } catch (error) {
    throw new SetupError(`${error.message}\n${googleTestMissing}`);
  }
  return 'installed';
}

try {
  stage('packages', installPackages);
  stage('typescript', compileTypeScript);
  if (withTests) stage('googletest', provideGoogleTest);
  stage('native', () => run(process.execPath, [join(root, 'dist', 'cli', 'main.js'), 'build', ...(withTests ? ['--with-tests'] : [])]));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`setup: ${error.message}\n`);
  process.exitCode = 1;
}

if (runAt > 0 && !process.exitCode) {
  const env = { ...process.env, LDLM_SETUP_SECONDS: String((performance.now() - started) / 1000) };
  const { status } = spawnSync(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...process.argv.slice(runAt + 1)], { stdio: 'inherit', env });
  process.exitCode = status ?? 1;
}
