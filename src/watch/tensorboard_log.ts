// A run's event file for TensorBoard, beside metrics.jsonl. Every start of the training opens a file of its own, which says
// from which step on. At the second such note and later ones TensorBoard drops what it has of those steps: a resume repeats none.

import { appendFile, mkdir, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ioError } from '../data/io_error.js';
import { encodeEvent, type EventContent, type SummaryValue } from './tensorboard_event.js';
import { frameRecord } from './tfrecord.js';

const NAME = /^events\.out\.tfevents\.(\d{10})\./;

export class TensorboardLog {
  private constructor(private readonly file: string) {}

  /** A new file in the folder `run` for the steps after `stepsDone`. */
  static async open(run: string, stepsDone: number): Promise<TensorboardLog> {
    await mkdir(run, { recursive: true }).catch(ioError(run, 'a folder that can be made'));
    const seconds = Math.max(Math.floor(Date.now() / 1000), 1 + (await newestIn(run)));
    const log = new TensorboardLog(join(run, `events.out.tfevents.${String(seconds).padStart(10, '0')}.${hostname()}`));
    await log.write(0, { fileVersion: 'brain.Event:2' });
    await log.write(stepsDone + 1, { sessionStart: true });
    return log;
  }

  async add(step: number, values: readonly SummaryValue[]): Promise<void> {
    await this.write(step, { values });
  }

  private async write(step: number, content: EventContent): Promise<void> {
    const record = frameRecord(encodeEvent({ wallTime: Date.now() / 1000, step, content }));
    await appendFile(this.file, record).catch(ioError(this.file, 'a file that can be written'));
  }
}

/** TensorBoard reads the files of a run in the order of their names, so a new one must come last even if the clock went back. */
async function newestIn(run: string): Promise<number> {
  return Math.max(0, ...(await readdir(run)).map((name) => Number(NAME.exec(name)?.[1] ?? 0)));
}
