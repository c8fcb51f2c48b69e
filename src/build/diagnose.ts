// Gathers what `ldlm doctor` shows: Node, the addon, libtorch, Python, build tools and GPUs. Build tools and Python
// count as needed only while the addon does not load: with a working addon nothing has to be built.

import { release } from 'node:os';
import { LdlmError } from '../api/errors.js';
import { addonPath, loadNative, type NativeAddon } from '../api/native.js';
import { packageVersion } from '../api/package_root.js';
import { findLibtorch, libtorchMissingMessage, type LibtorchSearch } from './libtorch.js';
import { pythonCommand } from './libtorch_fetch.js';
import { firstLine, runCommand } from './run_command.js';
import { findToolchain, toolRemedies, type Tool } from './toolchain.js';

export interface Check {
  name: string;
  /** ok: there; missing: needed and not there; absent: not there and not needed. */
  state: 'ok' | 'missing' | 'absent';
  /** What was found, or why it was not. */
  detail: string;
  /** What to do, for a check that is not ok. */
  remedy?: string;
}

export interface Diagnosis {
  /** True when nothing that is needed is missing. */
  ok: boolean;
  checks: Check[];
  libtorch: LibtorchSearch;
}

const oldestNode = [20, 19] as const;

function checkNode(): Check {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  const fits = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  const detail = `${process.version} (${process.platform} ${release()}, ${process.arch})`;
  return fits ? { name: 'node', state: 'ok', detail } : { name: 'node', state: 'missing', detail, remedy: `install Node.js ${oldestNode.join('.')} or later` };
}

function checkAddon(): { check: Check; addon: NativeAddon | null } {
  try {
    const addon = loadNative();
    const detail = `${addonPath()}, libtorch ${addon.torchVersion}`;
    return { check: { name: 'addon', state: 'ok', detail }, addon };
  } catch (error) {
    if (!(error instanceof LdlmError)) throw error;
    return { check: { name: 'addon', state: 'missing', detail: error.message, remedy: 'npx ldlm build' }, addon: null };
  }
}

/** `refused`: a variable asks for a libtorch that is not usable. */
function searchLibtorch(): LibtorchSearch & { refused?: true } {
  try {
    return findLibtorch();
  } catch (error) {
    if (error instanceof LdlmError) return { found: null, tried: [error.message], refused: true };
    throw error;
  }
}

function checkLibtorch(search: ReturnType<typeof searchLibtorch>, canFetch: boolean, needed: boolean): Check {
  const tried = search.tried.map((line) => `tried ${line}`);
  if (search.found) {
    const { version, cuda, root, source } = search.found;
    return { name: 'libtorch', state: 'ok', detail: [`${version} from ${source}${cuda ? ', with CUDA' : ''}: ${root}`, ...tried].join('\n') };
  }
  const detail = libtorchMissingMessage(search.tried);
  // `ldlm build` fetches it, so that alone is not a reason for alarm.
  const remedy = search.refused ? 'make LDLM_LIBTORCH or LDLM_USE_PYTORCH name a usable one, or unset it' : canFetch ? 'npx ldlm build (fetches it)' : undefined;
  return { name: 'libtorch', state: needed ? 'missing' : 'absent', detail, ...(remedy !== undefined && { remedy }) };
}

function checkTool(name: string, tool: Tool | null, needed: boolean, remedy: string): Check {
  if (tool !== null) return { name, state: 'ok', detail: `${tool.version} (${tool.command})` };
  return { name, state: needed ? 'missing' : 'absent', detail: 'not found', remedy };
}

function checkPython(needed: boolean): Check[] {
  const command = pythonCommand();
  const tool = (args: string[]): Tool | null => {
    const version = firstLine(command, args);
    return version === null ? null : { command, version };
  };
  return [
    checkTool('python', tool(['--version']), needed, 'install Python 3 (Debian: apt-get install python3)'),
    checkTool('pip', tool(['-m', 'pip', '--version']), needed, 'install pip (Debian: apt-get install python3-pip; elsewhere: python3 -m ensurepip)'),
  ];
}

async function checkCuda(addon: NativeAddon | null): Promise<Check> {
  const { code, output } = await runCommand('nvidia-smi', ['-L']);
  // The first line is the command itself; the identifiers of the devices are nobody's business.
  const devices = code === 0 ? output.split('\n').slice(1).map((line) => line.replace(/ \(UUID.*/, '')) : [];
  const detail = devices.length > 0 ? devices.join('\n') : 'no NVIDIA driver or device';
  if (addon?.cudaAvailable) return { name: 'cuda', state: 'ok', detail };
  if (devices.length === 0 || addon === null) return { name: 'cuda', state: 'absent', detail };
  return { name: 'cuda', state: 'absent', detail: `${detail}\nthe addon cannot use it`, remedy: 'npx ldlm build --variant cuda' };
}

/** Looks at everything; loads the addon (and libtorch) if it is built. */
export async function diagnose(): Promise<Diagnosis> {
  const { check: addonCheck, addon } = checkAddon();
  const libtorch = searchLibtorch();
  const tools = await findToolchain(libtorch.found?.root);
  const building = addon === null;
  const python = checkPython(building && libtorch.found === null);
  const checks: Check[] = [
    { name: 'ldlm', state: 'ok', detail: packageVersion() },
    checkNode(),
    addonCheck,
    checkLibtorch(libtorch, python.every((check) => check.state === 'ok'), building),
    ...python,
    checkTool('cmake', tools.cmake, building, toolRemedies.cmake),
    checkTool('compiler', tools.compiler, building, toolRemedies.compiler),
    checkTool('ninja', tools.ninja, false, toolRemedies.ninja),
    checkTool('nvcc', tools.nvcc, false, toolRemedies.nvcc),
    await checkCuda(addon),
  ];
  return { ok: checks.every((check) => check.state !== 'missing'), checks, libtorch };
}
