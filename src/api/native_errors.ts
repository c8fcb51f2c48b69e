// Turns what goes wrong at the seam into LdlmError: a failure to load the addon (ERR_DLOPEN_FAILED and its many
// reasons) into numbered ways to mend it, and a C++ rejection into an error with the JavaScript caller's stack.

import { LdlmError, type LdlmErrorCode } from './errors.js';

const nativeCodes = ['INVALID_ARGUMENT', 'OUT_OF_MEMORY', 'TORCH', 'DIVERGED', 'STATE', 'ABORTED', 'IO', 'NATIVE'] as const;

/** What C++ rejects with: `code` is one of the codes above, `nativeStack` the C++ text with its backtrace. */
interface NativeError extends Error {
  code: (typeof nativeCodes)[number];
  nativeStack?: string;
}

function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && (nativeCodes as readonly unknown[]).includes((error as { code?: unknown }).code);
}

/**
 * Makes an LdlmError of an error that C++ threw or rejected with; any other error is returned as it is.
 *
 * @param error what was caught.
 * @param jsStack `new Error().stack` taken where the native call was made. The error itself was made on another
 *   thread, so its own stack says nothing about the caller.
 * @returns an LdlmError whose `cause` is the native text.
 */
export function wrapNativeError(error: unknown, jsStack?: string): unknown {
  if (!isNativeError(error)) return error;
  const code: LdlmErrorCode = `ERR_LDLM_${error.code}`;
  const wrapped = new LdlmError(code, error.message, { cause: error.nativeStack ?? error.message });
  const frames = jsStack?.indexOf('\n    at ') ?? -1;
  if (jsStack !== undefined && frames >= 0) wrapped.stack = `LdlmError [${code}]: ${error.message}${jsStack.slice(frames)}`;
  return wrapped;
}

interface Diagnosis {
  problem: string;
  solutions: string[];
}

const rebuild = 'build it again: npx ldlm build';
const doctor = 'see what is found on this machine: npx ldlm doctor';

function diagnose(text: string): Diagnosis {
  const library = /(?:^|[\s:])(lib[\w.+-]+\.so[\w.]*): cannot open shared object file/.exec(text)?.[1];
  if (library !== undefined) {
    return {
      problem: `the addon needs ${library}, which was not found`,
      solutions: [
        `the libtorch it was built with may have been moved or deleted; ${rebuild}`,
        `add the folder that holds ${library} to LD_LIBRARY_PATH`,
        doctor,
      ],
    };
  }
  const symbol = /undefined symbol: (\S+)/.exec(text)?.[1];
  if (symbol !== undefined) {
    return {
      problem: `the addon and the libtorch that was loaded do not belong together (undefined symbol ${symbol})`,
      solutions: [
        rebuild,
        'another libtorch may come first: unset LD_LIBRARY_PATH and LD_PRELOAD',
        'name the libtorch to build with: LDLM_LIBTORCH=<folder with lib/ and include/> npx ldlm build',
      ],
    };
  }
  const required = /version [`']((?:GLIBC|GLIBCXX|CXXABI)_[\w.]+)' not found/.exec(text)?.[1];
  if (required !== undefined) {
    return {
      problem: `this system's C or C++ library is too old: ${required} is missing`,
      solutions: [
        `compile the addon on this machine: npx ldlm build`,
        'if it is libtorch that needs it, use a newer distribution or container image (Debian 12, Ubuntu 22.04 and later work)',
      ],
    };
  }
  if (/wrong ELF class|invalid ELF header|file too short|not a mach-o|incompatible architecture|Exec format|ELF file's phentsize/i.test(text)) {
    return {
      problem: `the file is not an addon for this machine (${process.platform} ${process.arch})`,
      solutions: [`it was made for another architecture or was cut short; ${rebuild}`, 'if LDLM_ADDON is set, let it name an addon of this machine'],
    };
  }
  return { problem: text.split('\n')[0] ?? text, solutions: [rebuild, doctor] };
}

function numbered(message: string, solutions: string[]): string {
  return [message, ...solutions.map((solution, i) => `  ${i + 1}. ${solution}`)].join('\n');
}

/** The error for an addon that was never built (or whose LDLM_ADDON names nothing). */
export function addonMissing(path: string, fromEnvironment: boolean): LdlmError {
  const message = fromEnvironment ? `LDLM_ADDON must name an addon file, got ${path}, which does not exist` : `the native addon is not built: ${path} does not exist`;
  const solutions = fromEnvironment ? ['unset LDLM_ADDON', 'build the addon: npx ldlm build'] : ['build it (finds or fetches libtorch first): npx ldlm build', doctor];
  return new LdlmError('ERR_LDLM_NATIVE', numbered(message, solutions));
}

/** The error for an addon that exists and that the dynamic loader refused; the loader's own text is the cause. */
export function addonRefused(path: string, cause: unknown): LdlmError {
  const { problem, solutions } = diagnose(cause instanceof Error ? cause.message : String(cause));
  return new LdlmError('ERR_LDLM_NATIVE', numbered(`the native addon ${path} cannot be loaded: ${problem}`, solutions), { cause });
}
