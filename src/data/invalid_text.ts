// What happens to bytes that are no text: the user's choice between an error that says where, and U+FFFD with a count of the documents.

import { LdlmError } from '../api/errors.js';

/** `stop` refuses the file; `replace` puts U+FFFD in the place of what is no text. */
export type InvalidText = 'stop' | 'replace';

/**
 * `text`, decoded from bytes that were UTF-8 or not, without anything that no tokenizer can take: NUL, and halves of surrogate pairs
 * (JSON can escape them).
 * @throws LdlmError ERR_LDLM_IO naming `place` if something must be replaced and `invalid` is 'stop'
 */
export function repairText(text: string, wasUtf8: boolean, place: string, invalid: InvalidText): { text: string; repaired: boolean } {
  const hasNul = text.includes('\0');
  if (wasUtf8 && !hasNul && text.isWellFormed()) return { text, repaired: false };
  if (invalid === 'replace') return { text: text.toWellFormed().replaceAll('\0', '\ufffd'), repaired: true };
  const choice = "or have it replaced (ldlm prepare and pretrain: --invalid-utf8 replace; in programs invalidUtf8: 'replace')";
  if (hasNul) throw new LdlmError('ERR_LDLM_IO', `${place} must be text, got a NUL byte: is this a binary or UTF-16 file? Convert it, ${choice}`);
  const got = wasUtf8 ? 'half of a surrogate pair' : 'other bytes';
  throw new LdlmError('ERR_LDLM_IO', `${place} must be UTF-8 text, got ${got}; convert the file first (iconv), ${choice}`);
}
