// A profile as tables: by module, and the largest ops. Times are those of the threads added up, so what counts is the share.

import type { NativeProfileEntry } from '../api/native_types.js';
import type { Profile } from './compare.js';
import type { ModuleFlops } from './flops.js';
import { columns } from './columns.js';

/** Of one run. */
export interface ProfileRow {
  name: string;
  calls: number;
  ms: number;
  cpuMs: number;
  share: number;
  /** 0 where the rows have no matrix product. */
  gflops: number;
}

const REST = 'losses, noise, the rest';

/** Rows that share the name that `nameOf` gives, largest first. */
export function profileRows({ entries, repeats }: Pick<Profile, 'entries' | 'repeats'>, nameOf: (entry: NativeProfileEntry) => string): ProfileRow[] {
  const groups = new Map<string, { calls: number; ms: number; cpuMs: number; flops: number }>();
  const total = entries.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / repeats;
  for (const entry of entries) {
    const group = groups.get(nameOf(entry)) ?? { calls: 0, ms: 0, cpuMs: 0, flops: 0 };
    group.calls += entry.calls / repeats;
    group.ms += entry.selfMs / repeats;
    group.cpuMs += entry.cpuMs / repeats;
    group.flops += entry.flops / repeats;
    groups.set(nameOf(entry), group);
  }
  const rows = [...groups].map(([name, { calls, ms, cpuMs, flops }]) => ({ name, calls, ms, cpuMs, share: cpuMs / total, gflops: cpuMs > 0 ? flops / cpuMs / 1e6 : 0 }));
  return rows.sort((a, b) => b.cpuMs - a.cpuMs);
}

function moduleOf({ module, backward }: NativeProfileEntry): string {
  return `${module || REST}${backward ? ', backward' : ''}`;
}

function opOf({ op, backward }: NativeProfileEntry): string {
  const plain = op.replace(/torch::autograd::CppNode<(?:ldlm::)?(?:\(anonymous namespace\)::)?(\w+?)(?:Function)?>/, '$1Backward');
  return `${plain || '(between ops)'}${backward && !/[Bb]ackward/.test(plain) ? ', in backward' : ''}`;
}

/**
 * The tables as text, ordered by CPU time, which other work on the machine leaves alone. It is that of the thread that called an op: one
 * that uses more threads seems faster than a core. `core` is the rate of large products in GFLOP a second of CPU time.
 */
export function profileTables(profile: Profile, flops: ModuleFlops, core: number): string {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  const cells = ({ name, calls, ms, cpuMs, share, gflops }: ProfileRow): string[] => [
    name,
    calls.toFixed(0),
    ms.toFixed(2),
    cpuMs.toFixed(2),
    percent(share),
    gflops > 0 ? gflops.toFixed(0) : '',
    gflops > 0 ? percent(gflops / core) : '',
  ];
  const head = (what: string): string[] => [what, 'calls', 'ms', 'CPU ms', 'of the CPU time', 'GFLOP/s', 'of a core'];
  const modules = profileRows(profile, moduleOf);
  const ops = profileRows(profile, opOf).slice(0, 25);
  const counted = Object.entries(flops).map(([name, count]) => `${name} ${(count / 1e9).toFixed(2)}`);
  return [
    `profile of ${profile.repeats} runs, median ${profile.ms.median} ms (listening costs some); times are of the threads added up`,
    `GFLOP by the configuration: ${counted.join(', ')}`,
    '',
    columns([head('module'), ...modules.map(cells)]),
    columns([head('op'), ...ops.map(cells)]),
  ].join('\n');
}
