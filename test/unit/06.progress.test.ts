import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProgress } from '../../src/cli/progress.js';

/** A stream that keeps what is written; with `isTTY` it looks like a terminal. */
function recorder(isTTY: boolean) {
  const written: string[] = [];
  const stream = new Writable({ write: (chunk, _, done) => (written.push(String(chunk)), done()) });
  Object.assign(stream, { isTTY, columns: 200, cursorTo: () => true, clearLine: () => true });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => written.join('') };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('progress in a log', () => {
  it('is a line every few seconds with speed, time left and values, and the last state at the end', () => {
    const { stream, text } = recorder(false);
    const progress = createProgress({ total: 1000, unit: 'steps', label: 'training', stream, lineEverySeconds: 5 });
    for (let second = 1; second <= 12; second++) {
      vi.advanceTimersByTime(1000);
      progress.update(10 * second, { loss: '0.31' });
    }
    progress.stop();
    progress.stop();
    expect(text().trimEnd().split('\n')).toEqual([
      'training 5 % | 50/1000 steps | 10.0 steps/s | 1 min 35 s left | loss 0.31',
      'training 10 % | 100/1000 steps | 10.0 steps/s | 1 min 30 s left | loss 0.31',
      'training 12 % | 120/1000 steps | 10.0 steps/s | 1 min 28 s left | loss 0.31',
    ]);
  });

  it('writes a note as a line of its own, behind the state before it', () => {
    const { stream, text } = recorder(false);
    const progress = createProgress({ total: 10, unit: 'steps', label: 'training', stream });
    progress.update(1);
    progress.note('warning: x');
    progress.stop();
    expect(text().trimEnd().split('\n')).toEqual([expect.stringMatching(/^training 10 %/), 'warning: x']);
  });

  it('does not count what an earlier run did, shows bytes as MB, and says so when the speed is unknown', () => {
    const { stream, text } = recorder(false);
    const progress = createProgress({ total: 10e6, unit: 'B', label: 'reading', start: 8e6, stream, lineEverySeconds: 0 });
    progress.update(8e6);
    vi.advanceTimersByTime(2000);
    progress.update(9e6);
    expect(text()).toBe(
      'reading 80 % | 8.0/10.0 MB | 0.0 MB/s | time left unknown\nreading 90 % | 9.0/10.0 MB | 0.5 MB/s | 2 s left\n',
    );
  });

  it('measures speed over the last half minute, so that a change shows', () => {
    const { stream, text } = recorder(false);
    const progress = createProgress({ total: 10_000, unit: 'steps', label: 'x', stream, lineEverySeconds: 1e9 });
    let done = 0;
    for (let second = 0; second < 120; second++) {
      vi.advanceTimersByTime(1000);
      progress.update((done += second < 60 ? 1 : 20));
    }
    progress.stop();
    expect(text()).toMatch(/^x 12 % \| 1260\/10000 steps \| 20\.0 steps\/s \| 7 min 17 s left\n$/);
  });

  it('measures it over everything where work of another kind lies between', () => {
    const { stream, text } = recorder(false);
    const progress = createProgress({ total: 300, unit: 'steps', label: 'x', stream, lineEverySeconds: 1e9, speedOverSeconds: Infinity });
    for (let second = 1; second <= 160; second++) {
      vi.advanceTimersByTime(1000);
      progress.update(Math.min(second, 100)); // and a minute without a step
    }
    progress.stop();
    expect(text()).toBe('x 33 % | 100/300 steps | 0.625 steps/s | 5 min 20 s left\n');
  });
});

describe('progress on a terminal', () => {
  it('is a bar that shows the last state when it stops, and leaves signals alone', () => {
    const { stream, text } = recorder(true);
    const listeners = process.listenerCount('SIGINT');
    const progress = createProgress({ total: 100, unit: 'steps', label: 'training', stream });
    expect(process.listenerCount('SIGINT')).toBe(listeners);
    vi.advanceTimersByTime(1000);
    progress.update(25, { loss: '0.31' });
    progress.stop();
    progress.stop();
    expect(text()).toContain('training ██████░░░░░░░░░░░░░░░░░░ 25 % | 25/100 steps | 25.0 steps/s | 3 s left | loss 0.31');
    expect(text()).not.toContain('\x1b[?25l'); // the cursor stays
  });
});
