// SIGKILL at random moments: whatever was being done (loading, a step, a checkpoint half written, the rename), the run resumes, and
// ends with the same bytes as one that nobody killed.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkpointHashes, latestFolder, ldlm, ldlmOutput, ldlmProgram, makeWorld, readMetrics, set, startNode, until } from './fixture.js';

const KILLS = 8;
const STEPS = 60;

/** `latest` names a folder with all of its files, whose state.json agrees with its name. */
async function stepOfLatest(run: string): Promise<number> {
  const folder = await latestFolder(run);
  const names = ['config.json', 'ema.safetensors', 'model.safetensors', 'optimizer.safetensors', 'state.json'];
  expect((await readdir(folder)).sort()).toEqual(names);
  const { step } = JSON.parse(await readFile(join(folder, 'state.json'), 'utf8')) as { step: number };
  expect(folder).toBe(join(run, 'checkpoints', `step-${step}`));
  return step;
}

/** What was logged, without the speeds. */
async function losses(run: string): Promise<unknown[]> {
  return (await readMetrics(run)).map(({ step, loss, saved }) => ({ step, loss, saved }));
}

it('a run that is killed again and again ends with the bytes of one that was left alone', async () => {
  await using world = await makeWorld();
  const [left, killed] = [world.path('left'), world.path('killed')];
  // A checkpoint every other step, so that many kills hit one that is being written.
  const muon = 'train.muon={"lrScale":3,"momentum":0.95}';
  const settings = set(`train.steps=${STEPS}`, 'train.saveEvery=2', 'train.logEvery=1', muon, 'train.cooldown=0.5');
  const train = (out: string): string[] => world.train(out, ...settings);
  await ldlmOutput(train(left));

  const moments: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, ended } = startNode([ldlmProgram, ...train(killed)]);
    const before = await loggedLines(killed);
    // The first kill comes at any time, before training too; the others once it has gone on, so that they spread over the run.
    if (kill > 0) await until(async () => child.exitCode !== null || (await loggedLines(killed)) > before, 'the run goes on');
    const delayMs = Math.random() * (kill === 0 ? 1000 : 80);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    child.kill('SIGKILL');
    const { code, signal, stderr } = await ended;
    moments.push(`${delayMs.toFixed(1)} ms`);
    expect(signal, `ended by itself with ${code}: ${stderr}`).toBe('SIGKILL');
    const latest = await readdir(join(killed, 'checkpoints')).then((names) => names.includes('latest'), () => false);
    if (latest) moments.push(`at step ${await stepOfLatest(killed)}`);
  }
  const { code, stderr } = await ldlm(train(killed));
  expect({ code, stderr }, moments.join(', ')).toMatchObject({ code: 0 });
  expect(await stepOfLatest(killed)).toBe(STEPS);
  expect(await checkpointHashes(await latestFolder(killed)), moments.join(', ')).toEqual(await checkpointHashes(await latestFolder(left)));
  expect(await losses(killed)).toEqual(await losses(left));
  const leftOver = (await readdir(join(killed, 'checkpoints'))).filter((name) => !/^(latest|step-\d+)$/.test(name));
  expect(leftOver).toEqual([]);
});

async function loggedLines(run: string): Promise<number> {
  const text = await readFile(join(run, 'metrics.jsonl'), 'utf8').catch(() => '');
  return text.split('\n').length;
}
