// The addon under processes and threads that end while it works (docs/architecture.md, "Living inside Node"): every run must end with the
// exit code that it asked for, and none by a signal. LDLM_STRESS=1 does the full number of runs.

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import { type Ended, makeTrainedWorld, SETUP_MS, startNode, type TrainedWorld } from './fixture.js';

/** Runs of each scenario. */
const RUNS = process.env.LDLM_STRESS === '1' ? 50 : 5;
/** Runs within one process, for the scenarios that do not end it. */
const RUNS_PER_PROCESS = 10;
const PROCESSES_AT_ONCE = 2;

const script = fileURLToPath(new URL('stress_child.mjs', import.meta.url));
let world: TrainedWorld;

beforeAll(async () => {
  world = await makeTrainedWorld(20);
}, SETUP_MS);
afterAll(() => world[Symbol.asyncDispose]());

function startChild(scenario: string, index: number, iterations: number): Promise<Ended> {
  const settings = { index, iterations, root: packageRoot(), run: world.run, config: world.config() };
  return startNode([script, scenario, JSON.stringify(settings)]).ended;
}

/** Runs `count` children, a few at once, and returns how each ended. */
async function runChildren(scenario: string, count: number, iterations: number): Promise<Ended[]> {
  const ended: Ended[] = [];
  let next = 0;
  const runSome = async (): Promise<void> => {
    while (next < count) ended.push(await startChild(scenario, next++, iterations));
  };
  await Promise.all(Array.from({ length: PROCESSES_AT_ONCE }, runSome));
  return ended;
}

function expectAll(ended: Ended[], code: number, stderr: RegExp): void {
  const unexpected = ended.filter((one) => one.code !== code || one.signal !== null || !stderr.test(one.stderr));
  expect(unexpected, `${unexpected.length} of ${ended.length} processes ended otherwise`).toEqual([]);
}

const limit = { timeout: 30_000 + RUNS * 10_000 };

describe(`${RUNS} runs of each`, () => {
  it.each([
    ['process.exit()', 'exit', 7, /^$/],
    ['an uncaught throw', 'throw', 1, /Error: thrown on purpose/],
    ['an unhandled rejection', 'rejection', 1, /Error: rejected on purpose/],
    ['worker.terminate() and then process.exit()', 'terminateThenExit', 7, /^$/],
  ])('%s while the addon works ends the process as it should', limit, async (_, scenario, code, stderr) => {
    expectAll(await runChildren(scenario, RUNS, 1), code, stderr);
  });

  it.each([
    ['worker.terminate() while its addon works', 'terminate'],
    ['an AbortSignal', 'abort'],
    ['a preview callback that throws', 'previewThrows'],
  ])('%s leaves the process well', limit, async (_, scenario) => {
    const iterations = Math.min(RUNS, RUNS_PER_PROCESS);
    expectAll(await runChildren(scenario, RUNS / iterations, iterations), 0, /^$/);
  });
});
