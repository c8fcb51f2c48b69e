// `ldlm doctor`: what is on this machine, what is missing and the command that mends it. Changes nothing.
// The report is data (stdout); exit code 1 when something that is needed is missing.

import { Command } from 'commander';
import { diagnose, type Check, type Diagnosis } from '../build/diagnose.js';

const marks: Record<Check['state'], string> = { ok: '✓', missing: '✗', absent: '-' };

function print(diagnosis: Diagnosis): void {
  const width = Math.max(...diagnosis.checks.map((check) => check.name.length));
  for (const { name, state, detail } of diagnosis.checks) {
    const [first, ...rest] = detail.split('\n');
    console.log(`${marks[state]} ${name.padEnd(width)}  ${first}`);
    for (const line of rest) console.log(' '.repeat(width + 4) + line);
  }
  const missing = diagnosis.checks.filter((check) => check.remedy !== undefined && check.state === 'missing');
  // What is built needs everything else: it comes last, and fetches libtorch on the way.
  const builds = (check: Check): boolean => check.remedy!.startsWith('npx ldlm build');
  const steps = [...missing.filter((check) => !builds(check)), ...missing.filter(builds).slice(0, 1)];
  if (steps.length > 0) console.log('\nTo mend it:');
  else console.log('\nEverything that is needed is there.');
  steps.forEach(({ name, remedy }, i) => console.log(`  ${i + 1}. ${name}: ${remedy}`));
  const gpu = diagnosis.checks.find((check) => check.name === 'cuda' && check.state === 'absent' && check.remedy !== undefined);
  if (gpu) console.log(`\nTo use the GPU: ${gpu.remedy}`);
}

async function doctor({ json }: { json: boolean }): Promise<void> {
  const diagnosis = await diagnose();
  if (json) console.log(JSON.stringify(diagnosis, null, 2));
  else print(diagnosis);
  if (!diagnosis.ok) process.exitCode = 1;
}

/** The `doctor` command. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('show what is on this machine, what is missing, and the command that mends it')
    .option('--json', 'print the report as JSON', false)
    .addHelpText('after', '\nExit code 1 when something that is needed is missing.')
    .action(doctor);
}
