// Disks that are full, forbidden or limited while tensors or shards are written: the error says which file and why, the last complete checkpoint
// stays, and nothing is left behind that would stand in the way of the next attempt.

import { chmod, cp, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { lmDefaults, openShards, pretrainLm } from '../../src/index.js';
import { checkpointHashes, latestFolder, ldlm, ldlmOutput, ldlmProgram, makeTrainedWorld, set, SETUP_MS, start, type TrainedWorld } from './fixture.js';

let world: TrainedWorld;

beforeAll(async () => {
  world = await makeTrainedWorld();
}, SETUP_MS);
afterAll(() => world[Symbol.asyncDispose]());

/** vitest keeps the reason of a skip to itself: say it as well. */
function skip(context: TestContext, reason: string): never {
  console.log(`skipped: ${context.task.name}, as ${reason}`);
  return context.skip(reason);
}

describe('a disk that does not take what is written', () => {
  it('is an ERR_LDLM_IO of the API, in native code too', async () => {
    const out = world.path('blocked');
    await mkdir(join(out, 'model.safetensors'), { recursive: true });
    await using data = await openShards(world.data);
    const config = { ...lmDefaults(), layers: 1, width: 8, heads: 1, steps: 1, batch: 2, identityLayer: 1 };
    const training = pretrainLm(config, { data, tokenizer: world.tokenizer, out, replace: true });
    await training.next(); // the one step; writing follows
    await expect(training.next()).rejects.toMatchObject({
      name: 'LdlmError',
      code: 'ERR_LDLM_IO',
      message: `${join(out, 'model.safetensors')} must be a new name or a plain file, got: Is a directory`,
    });
    expect(await readdir(out)).toEqual(['model.safetensors']);
  });

  it('ends a run in the middle of a checkpoint; the same command continues later, with the bytes of a run without failure', async () => {
    const out = world.path('limited');
    await ldlmOutput(world.train(out, ...set('train.steps=20')));
    await cp(out, world.path('unlimited'), { recursive: true });
    const before = await checkpointHashes(await latestFolder(out));
    // Room for the weights, not for the moments of the optimizer, which are twice as large. `ulimit -f` counts blocks of 512 bytes.
    const { size } = await stat(join(await latestFolder(out), 'model.safetensors'));
    const limited = ['-c', `ulimit -f ${Math.ceil((1.5 * size) / 512)}; exec "$0" "$@"`, process.execPath, ldlmProgram];
    const { code, stderr } = await start('sh', [...limited, ...world.train(out)]).ended;
    expect(stderr).toMatch(/error: .*optimizer\.safetensors must be a file that can be written, got: File too large; raise the limit/);
    expect(stderr).not.toContain('This was not expected');
    expect(code).toBe(1);
    expect((await readdir(join(out, 'checkpoints'))).sort()).toEqual(['latest', 'step-20']);
    expect(await checkpointHashes(await latestFolder(out))).toEqual(before);
    for (const folder of [out, world.path('unlimited')]) await ldlmOutput(world.train(folder));
    expect(await checkpointHashes(await latestFolder(out))).toEqual(await checkpointHashes(await latestFolder(world.path('unlimited'))));
  });

  it('stops prepare, which leaves no data set behind; the same command makes it when there is room', async () => {
    const out = world.path('prepared');
    const command = ['prepare', '--input', world.path('stories.txt'), '--tokenizer', world.lm, '--length', '48', '--packing', 'pad', '--out', out];
    const { code, stderr } = await start('sh', ['-c', 'ulimit -f 8; exec "$0" "$@"', process.execPath, ldlmProgram, ...command]).ended;
    expect(stderr).toMatch(/error: .*prepared\.partial.*shard-00000\.bin must be a file that can be written, got: a file would be larger than the system allows \(`ulimit -f`\): raise that/);
    expect(code).toBe(1);
    expect((await readdir(world.folder)).filter((name) => name.startsWith('prepared') && !name.endsWith('.partial'))).toEqual([]);
    await ldlmOutput(command);
    expect(await readFile(join(out, 'shard-00000.bin'))).toEqual(await readFile(join(world.data, 'shard-00000.bin')));
  });

  it('says so when the folder cannot be written', async (context) => {
    if (process.getuid?.() === 0) skip(context, 'root may write everywhere');
    await mkdir(world.path('sealed'), { mode: 0o555 });
    const { code, stderr } = await ldlm(world.train(world.path('sealed', 'run')));
    await chmod(world.path('sealed'), 0o755);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: .*sealed.* must be .* got: no permission/);
  });

  it('stops when the disk is full, says so, and leaves the last complete checkpoint in place', async (context) => {
    // A small disk in a mount namespace of its own, which is gone with the process.
    const namespace = ['--user', '--map-root-user', '--mount', 'sh', '-ec'];
    const mountPoint = world.path('disk');
    await mkdir(mountPoint);
    const permitted = await start('unshare', [...namespace, 'mount -t tmpfs none "$0"', mountPoint]).ended.catch(() => ({ code: 1 }));
    if (permitted.code !== 0) skip(context, 'there is no permission to mount a small disk');
    const size = await sizeOf(await latestFolder(world.run));
    // Room for one and a half checkpoints.
    const script = `mount -t tmpfs -o size=${Math.ceil((1.5 * size) / 1024)}k none "$0"; "$@" || code=$?; cat "$0/run/checkpoints/latest"; ls -A "$0/run/checkpoints"; exit $code`;
    const command = [process.execPath, ldlmProgram, ...world.train(join(mountPoint, 'run'), ...set('train.saveEvery=5'))];
    const { code, stdout, stderr } = await start('unshare', [...namespace, script, mountPoint, ...command]).ended;
    expect(stderr).toMatch(/error: .* must be a file that can be written, got: .*(No space left on device|the disk is full).*make room and run again/);
    expect(stderr).not.toContain('This was not expected');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^step-5\n/);
    expect(stdout.split('\n').sort()).toEqual(['', 'latest', 'step-5', 'step-5']);
  });
});

async function sizeOf(checkpoint: string): Promise<number> {
  const names = ['model.safetensors', 'ema.safetensors', 'optimizer.safetensors', 'state.json', 'config.json'];
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(checkpoint, name))).size));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
