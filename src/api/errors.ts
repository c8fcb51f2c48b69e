// The one error class of the package. Messages read: what must be what, got what, what to do.
// Native failures arrive with the C++ text as `cause` (see native.ts).

export type LdlmErrorCode =
  | 'ERR_LDLM_CONFIG'
  | 'ERR_LDLM_INVALID_ARGUMENT'
  | 'ERR_LDLM_STATE'
  | 'ERR_LDLM_OUT_OF_MEMORY'
  | 'ERR_LDLM_IO'
  | 'ERR_LDLM_TORCH'
  | 'ERR_LDLM_DIVERGED'
  | 'ERR_LDLM_NATIVE'
  | 'ERR_LDLM_ABORTED';

/** Every error that this package throws on purpose. `code` is stable; `message` says what to do. */
export class LdlmError extends Error {
  readonly code: LdlmErrorCode;

  constructor(code: LdlmErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LdlmError';
    this.code = code;
  }
}
