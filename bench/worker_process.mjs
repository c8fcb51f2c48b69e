// A child process that answers JSON lines, one question at a time.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Both sides sleep while they wait, as our loader has it: next to other work, spinning threads slow PyTorch down many times over.
const env = { OMP_WAIT_POLICY: 'passive', GOMP_SPINCOUNT: '0', ...process.env };
const here = dirname(fileURLToPath(import.meta.url));

export class WorkerProcess {
  #child;
  #answers;
  #failure;

  constructor(command, script) {
    this.#child = spawn(command, [join(here, script)], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#failure = new Promise((resolve) => this.#child.once('error', resolve));
    this.#child.stdin.on('error', () => {}); // a child that died is reported by the missing answer
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.command = command;
  }

  static native() {
    return new WorkerProcess(process.execPath, 'native_worker.mjs');
  }

  /** LDLM_PYTHON, or python3: a Python with torch and safetensors. */
  static pytorch() {
    return new WorkerProcess(process.env.LDLM_PYTHON || 'python3', 'pytorch_worker.py');
  }

  async ask(request) {
    this.#child.stdin.write(JSON.stringify(request) + '\n');
    const answer = await Promise.race([this.#answers.next(), this.#failure]);
    if (answer instanceof Error) throw new Error(`${this.command} could not be started: ${answer.message}`);
    if (answer.done) throw new Error(`${this.command} must answer ${request.op}, but it ended; what it wrote to stderr is above`);
    return JSON.parse(answer.value);
  }

  close() {
    this.#child.stdin.end();
  }
}
