// What the operating system refused, as the error of this package.

import { LdlmError } from '../api/errors.js';

/** Error codes of Node that need more than their own words. */
const advice: Record<string, string> = {
  ENOSPC: 'the disk is full: make room and run again',
  EDQUOT: 'the disk quota is used up: make room and run again',
  EFBIG: 'a file would be larger than the system allows (`ulimit -f`): raise that and run again',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EROFS: 'the file system is read-only',
  ENOENT: 'there is no such file or folder',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
  EMFILE: 'too many open files: raise `ulimit -n`',
};

/**
 * Wraps a failed file operation: "PATH must be REQUIREMENT, got: why". An LdlmError passes through unchanged.
 * @example await open(path).catch(ioError(path, 'a readable file'))
 */
export function ioError(path: string, requirement: string): (cause: unknown) => never {
  return (cause) => {
    if (cause instanceof LdlmError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = (code !== undefined && advice[code]) || message || String(cause);
    throw new LdlmError('ERR_LDLM_IO', `${path} must be ${requirement}, got: ${reason}`, { cause });
  };
}
