// A system under test, in a process of its own that answers JSON lines, one question at a time. So memory is that of the system, and its
// threads are its own.

import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { MachineRates, NativeProfileEntry } from '../api/native_types.js';
import type { Work } from './workload.js';

/** What is measured: an optimiser step, sampling from noise to ids, or the limits of the machine. */
export type Task = 'train' | 'sample' | 'limits';

export type Request =
  | { open: Task; system: string; work: Work } // first; answered by {} or by { unavailable }
  | { repeats: number; profile?: boolean };

/** The answer to `repeats`. */
export interface Timings {
  timesMs: number[];
  /** CPU time of the process, all threads added up. */
  cpuMs: number[];
  /** sample: from the first evaluation's end to the last one's, over their number less one. */
  evaluationMs?: number[];
  /** The part of the work that was done where it was not the whole; times are those of the whole. */
  share?: number;
  peakRssBytes: number;
  /** Peak before anything was loaded: interpreter and libtorch. */
  baseRssBytes: number;
  version: string;
  rates?: MachineRates;
  profile?: NativeProfileEntry[];
}

// Systems sleep while they wait, as our loader has it: next to other work, spinning threads slow PyTorch down many times over.
const QUIET = { OMP_WAIT_POLICY: 'passive', GOMP_SPINCOUNT: '0' };

/** The system cannot run here; the message says why. */
export class Unavailable extends Error {}

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #failure: Promise<Error>;
  readonly #ending: Promise<string>;
  #stderr = '';

  constructor(
    readonly command: string,
    args: readonly string[],
  ) {
    this.#child = spawn(command, args, { env: { ...QUIET, ...process.env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#failure = new Promise((resolve) => this.#child.once('error', resolve));
    this.#ending = new Promise((resolve) =>
      this.#child.once('exit', (code, signal) => resolve(signal === 'SIGKILL' ? 'SIGKILL, which is how a system without memory ends processes' : signal ?? `exit code ${code}`)),
    );
    this.#child.stdin!.on('error', () => {}); // a child that died is reported by the missing answer
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-4000)));
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** @throws Unavailable if the system cannot run here */
  async open(task: Task, system: string, work: Work): Promise<void> {
    const answer = (await this.#ask({ open: task, system, work })) as { unavailable?: string };
    if (answer.unavailable !== undefined) throw new Unavailable(answer.unavailable);
  }

  async run(repeats: number, profile = false): Promise<Timings> {
    return (await this.#ask({ repeats, profile })) as Timings;
  }

  async #ask(request: Request): Promise<unknown> {
    this.#child.stdin!.write(JSON.stringify(request) + '\n');
    const answer = await Promise.race([this.#answers.next(), this.#failure]);
    if (answer instanceof Error) throw new Unavailable(`${this.command} could not be started: ${answer.message}`);
    if (answer.done !== true) return JSON.parse(answer.value);
    const said = this.#stderr.trim().split('\n').slice(-3).join(' | ');
    throw new Unavailable(`${this.command} must answer, but it ended (${await this.#ending})${said && `: ${said}`}`);
  }

  close(): void {
    this.#child.stdin!.end();
  }
}
