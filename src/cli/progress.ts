// Progress of long work, on stderr: a bar with speed and time left on a terminal, a plain line every few seconds in a log.

import { SingleBar } from 'cli-progress';

export interface ProgressOptions {
  /** Where the work ends, in units. */
  total: number;
  /** What is counted: 'B' is shown as MB and MB/s, anything else ('steps') as it is. */
  unit: string;
  /** What is being done. */
  label: string;
  /** Units that were done before, by an earlier run; default 0. They do not count for the speed. */
  start?: number;
  /** Where to write; default stderr. */
  stream?: NodeJS.WriteStream;
  /** Seconds between plain lines; default 5. */
  lineEverySeconds?: number;
  /** Seconds that the speed is a mean of, default 30. Infinity where work that counts no units lies between: judging between trainings. */
  speedOverSeconds?: number;
}

/** Values shown behind the bar, in this order: { loss: '0.31', tokens: 12000 }. */
export type ProgressPayload = Readonly<Record<string, string | number>>;

export interface Progress {
  /** `done` units of the total are done. Cheap: call it as often as you like. */
  update(done: number, payload?: ProgressPayload): void;
  /** Writes a line of its own, which stays. */
  note(line: string): void;
  /** Shows the last state and gives the terminal back. May be called twice. */
  stop(): void;
}

/**
 * @example
 * const progress = createProgress({ total: 2000, unit: 'steps', label: 'training' });
 * progress.update(20, { loss: '0.31' });
 * progress.stop();
 */
export function createProgress(options: ProgressOptions): Progress {
  const stream = options.stream ?? process.stderr;
  return stream.isTTY ? createBar(options, stream) : createLines(options, stream);
}

function createBar(options: ProgressOptions, stream: NodeJS.WriteStream): Progress {
  const speed = new Speed(options);
  const bar = new SingleBar({
    stream,
    format: '{label} {bar} {percentage} % | {text}',
    barsize: 24,
    fps: 10,
    // Signals and the cursor belong to the command: a Ctrl-C must reach it, and must not leave the cursor hidden.
    gracefulExit: false,
    hideCursor: null,
    clearOnComplete: false,
    barCompleteChar: '█',
    barIncompleteChar: '░',
  });
  bar.start(options.total, options.start ?? 0, { label: options.label, text: '' });
  let stopped = false;
  return {
    update(done, payload = {}) {
      if (stopped) return;
      speed.add(done);
      bar.update(Math.min(done, options.total), { label: options.label, text: describe(done, options, speed, payload) });
    },
    note: (line) => void stream.write(`\r\x1b[K${line}\n`), // the bar is drawn again below it
    stop() {
      if (!stopped) bar.stop();
      stopped = true;
    },
  };
}

function createLines(options: ProgressOptions, stream: NodeJS.WriteStream): Progress {
  const speed = new Speed(options);
  const everyMs = 1000 * (options.lineEverySeconds ?? 5);
  let due = Date.now() + everyMs;
  let last: string | undefined; // the state that no line has shown yet
  const show = (): void => {
    if (last !== undefined) stream.write(`${last}\n`);
    last = undefined;
    due = Date.now() + everyMs;
  };
  return {
    update(done, payload = {}) {
      speed.add(done);
      const percent = Math.floor((100 * Math.min(done, options.total)) / Math.max(1, options.total));
      last = `${options.label} ${percent} % | ${describe(done, options, speed, payload)}`;
      if (Date.now() >= due) show();
    },
    note(line) {
      show();
      stream.write(`${line}\n`);
    },
    stop: show,
  };
}

function describe(done: number, { total, unit }: ProgressOptions, speed: Speed, payload: ProgressPayload): string {
  const perSecond = speed.perSecond();
  const left = perSecond > 0 ? `${duration(Math.max(0, total - done) / perSecond)} left` : 'time left unknown';
  const amount = unit === 'B' ? `${megabytes(done)}/${megabytes(total)} MB` : `${done}/${total} ${unit}`;
  const rate = unit === 'B' ? `${megabytes(perSecond)} MB/s` : `${perSecond.toPrecision(3)} ${unit}/s`;
  return [amount, rate, left, ...Object.entries(payload).map(([name, value]) => `${name} ${value}`)].join(' | ');
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** 75 -> '1 min 15 s' */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Speed over the last half minute, unless said otherwise: it follows changes, and a slow start is soon forgotten. */
class Speed {
  private readonly marks: { at: number; done: number }[];

  private readonly windowMs: number;

  constructor({ start = 0, speedOverSeconds = 30 }: ProgressOptions) {
    this.windowMs = 1000 * speedOverSeconds;
    this.marks = [{ at: performance.now(), done: start }];
  }

  add(done: number): void {
    const at = performance.now();
    // One mark every tenth of a second is enough, however often it is called; the newest one moves.
    if (this.marks.length > 1 && at - this.marks.at(-2)!.at < 100) this.marks.pop();
    this.marks.push({ at, done });
    while (this.marks.length > 2 && at - this.marks[0]!.at > this.windowMs) this.marks.shift();
  }

  perSecond(): number {
    const first = this.marks[0]!;
    const last = this.marks.at(-1)!;
    return last.at > first.at ? (1000 * (last.done - first.done)) / (last.at - first.at) : 0;
  }
}
