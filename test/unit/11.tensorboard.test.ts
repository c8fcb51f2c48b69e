import { spawnSync } from 'node:child_process';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import { encodeEvent } from '../../src/watch/tensorboard_event.js';
import { TensorboardLog } from '../../src/watch/tensorboard_log.js';
import { crc32c, frameRecord } from '../../src/watch/tfrecord.js';

const golden = join(packageRoot(), 'test', 'golden');
const python = process.env.PYTHON ?? 'python3';
const hasTensorboard = spawnSync(python, ['-c', 'import tensorboard']).status === 0;
if (!hasTensorboard) console.log(`skipped: reading event files back with TensorBoard, as ${python} has no package tensorboard (pip install tensorboard, or set PYTHON)`);

describe('records', () => {
  it('have the checksums of RFC 3720, appendix B.4', () => {
    const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(ascending)).toBe(0x46dd794e);
    expect(crc32c(ascending.toReversed())).toBe(0x113fdb5c);
  });

  it('are byte for byte those that TensorBoard writes of the same values', async () => {
    const records = [
      encodeEvent({ wallTime: 1700000000.5, step: 0, content: { fileVersion: 'brain.Event:2' } }),
      encodeEvent({ wallTime: 1700000001, step: 21, content: { sessionStart: true } }),
      encodeEvent({
        wallTime: 1700000002.25,
        step: 5_000_000_000,
        content: {
          values: [
            { tag: 'loss/diffusion', scalar: 0.1 },
            { tag: 'loss/token', scalar: 0 },
            { tag: 'timesteps/density', histogram: { from: 0, ends: [0.25, 0.5, 1], heights: [0.5, 0, 1.5] } },
            { tag: 'samples', texts: ['Größe 日本 😀', 'x'.repeat(300)] },
          ],
        },
      }),
    ];
    expect(Buffer.concat(records.map(frameRecord)).toString('hex')).toBe((await readFile(join(golden, 'tensorboard.tfevents'))).toString('hex'));
  });
});

describe('TensorboardLog', () => {
  let run: string;
  beforeAll(async () => void (run = await mkdtemp(join(tmpdir(), 'ldlm-tensorboard-'))));
  afterAll(() => rm(run, { recursive: true, force: true }));

  it('opens a file of its own at every start, the newest with the last name', async () => {
    await writeFile(join(run, 'events.out.tfevents.9000000000.elsewhere'), ''); // a clock that was wrong
    for (let start = 0; start < 3; start++) await TensorboardLog.open(run, 0);
    const names = (await readdir(run)).sort();
    expect(names.map((name) => name.split('.')[3])).toEqual(['9000000000', '9000000001', '9000000002', '9000000003']);
  });

  it.skipIf(!hasTensorboard)('shows no step twice after a resume, even if the killed run got further and its last record is cut', async () => {
    const folder = join(run, 'resumed');
    const first = await TensorboardLog.open(folder, 0);
    for (const step of [10, 20, 30]) await first.add(step, [{ tag: 'loss', scalar: step }]);
    await first.add(30, [{ tag: 'density', histogram: { from: 0, ends: [0.5, 1], heights: [2, 3] } }, { tag: 'samples', texts: ['a', 'b\nc'] }]);
    await appendFile(join(folder, (await readdir(folder))[0]!), new Uint8Array([1, 2, 3]));
    const second = await TensorboardLog.open(folder, 20);
    await second.add(30, [{ tag: 'loss', scalar: 31 }, { tag: 'density', histogram: { from: 0, ends: [0.5, 1], heights: [4, 5] } }, { tag: 'samples', texts: ['d'] }]);
    await second.add(40, [{ tag: 'loss', scalar: 41 }]);
    const { status, stdout, stderr } = spawnSync(python, [join(golden, 'read_tensorboard.py'), folder], { encoding: 'utf8' });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      scalars: { loss: [[10, 10], [20, 20], [30, 31], [40, 41]] },
      histograms: { density: [[30, [[0, 0.5, 4], [0.5, 1, 5]]]] }, // [from, to, height]
      text: { samples: [[30, ['d']]] },
    });
  });
});
