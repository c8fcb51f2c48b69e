// Calls across the seam: native rejections become LdlmError with the caller's stack.

import { LdlmError } from './errors.js';
import { loadNative, wrapNativeError } from './native.js';

/** Awaits a native call; its failure is an `LdlmError` whose stack is that of the caller. */
export async function callNative<T>(call: () => Promise<T>): Promise<T> {
  const { stack } = new Error();
  try {
    return await call();
  } catch (error) {
    throw wrapNativeError(error, stack);
  }
}

/**
 * The device to use: `auto` is cuda where the addon and the machine have it, else cpu.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT if cuda is asked for and not there
 */
export function resolveDevice(device: 'auto' | 'cpu' | 'cuda'): 'cpu' | 'cuda' {
  const { cudaAvailable } = loadNative();
  if (device === 'auto') return cudaAvailable ? 'cuda' : 'cpu';
  if (device === 'cuda' && !cudaAvailable) {
    throw new LdlmError(
      'ERR_LDLM_INVALID_ARGUMENT',
      'device cuda must have an addon built with CUDA (ldlm build --variant cuda) and a GPU with its driver, and at least one of them is missing. `ldlm doctor` says which',
    );
  }
  return device;
}

/**
 * What to sample in: `auto` is bfloat16 on a GPU, where it is several times as fast, and float32 on a CPU.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT for bfloat16 on a CPU that does not multiply it
 */
export function resolveDtype(dtype: 'auto' | 'float32' | 'bfloat16', device: 'cpu' | 'cuda'): 'float32' | 'bfloat16' {
  if (dtype === 'auto') return device === 'cuda' ? 'bfloat16' : 'float32';
  if (dtype === 'bfloat16' && device === 'cpu' && !loadNative().cpuBfloat16) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'dtype must be float32 on a cpu without AVX512-BF16, where bfloat16 is slower, got bfloat16. Leave it out');
  }
  return dtype;
}

/** @throws LdlmError ERR_LDLM_CONFIG for training in bfloat16 on a CPU that does not multiply it */
export function checkTrainDtype(dtype: 'float32' | 'bfloat16', device: 'cpu' | 'cuda'): void {
  if (dtype === 'float32' || device === 'cuda' || loadNative().cpuBfloat16) return;
  throw new LdlmError('ERR_LDLM_CONFIG', 'train.dtype must be float32 on a cpu without AVX512-BF16 (bfloat16 is slower there), got bfloat16. Set train.dtype=float32');
}
