// A set of texts that remembers 8 bytes of each one's SHA-256: 9 to 14 bytes of memory a text. Two of 100 million different texts
// are taken for equal with a probability of 3 in 10 000.

import { hash } from 'node:crypto';

export class ExactSet {
  private slots = new BigUint64Array(2 ** 16);
  private size = 0;

  /** What is remembered of `text`. */
  static digest(text: string): bigint {
    return BigInt(`0x${hash('sha256', text, 'hex').slice(0, 16)}`) || 1n; // 0 marks a free slot
  }

  /** Adds `digest`; false if it was there. */
  add(digest: bigint): boolean {
    if (this.size >= 0.85 * this.slots.length) this.grow();
    const at = this.find(digest);
    if (this.slots[at] === digest) return false;
    this.slots[at] = digest;
    this.size++;
    return true;
  }

  /** Its slot, or the free one where it belongs: the next from a place that the digest, which is random, gives. */
  private find(digest: bigint): number {
    let at = Number(digest % BigInt(this.slots.length));
    while (this.slots[at] !== 0n && this.slots[at] !== digest) at = at + 1 === this.slots.length ? 0 : at + 1;
    return at;
  }

  private grow(): void {
    const old = this.slots;
    this.slots = new BigUint64Array(Math.ceil(old.length * 1.5));
    for (const digest of old) if (digest !== 0n) this.slots[this.find(digest)] = digest;
  }
}
