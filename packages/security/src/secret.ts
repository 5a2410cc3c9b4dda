/** Secret bytes that do not print, compare in constant time, and can be wiped. */
import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import { WeirError } from '@weir/contracts/errors';

const printed = '[secret]';

/** Whether two byte strings are equal, in a time that depends on their lengths only. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Holds a copy of `bytes`, outside Node's shared buffer pool, until it is disposed. */
export class Secret implements Disposable {
  readonly #bytes: Buffer;
  #disposed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.alloc(bytes.length);
    this.#bytes.set(bytes);
  }

  /** The bytes themselves, not a copy: they become zero when the secret is disposed. Throws `internal` after that. */
  reveal(): Buffer {
    if (this.#disposed) throw new WeirError('internal', 'A secret was used after it was disposed.');
    return this.#bytes;
  }

  equals(other: Secret | Uint8Array): boolean {
    return constantTimeEqual(this.reveal(), other instanceof Secret ? other.reveal() : other);
  }

  dispose(): void {
    this.#bytes.fill(0);
    this.#disposed = true;
  }

  [Symbol.dispose](): void { this.dispose(); }
  toString(): string { return printed; }
  toJSON(): string { return printed; }
  [inspect.custom](): string { return printed; }
}
