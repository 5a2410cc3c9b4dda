/** Verified tokens, remembered: one that comes again costs a lookup instead of a signature check. */
import { verifyToken, type TokenProfile, type TokenVerdict } from './tokens.ts';
import type { TokenPurpose } from './token-claims.ts';

type Valid<P extends TokenPurpose> = Extract<TokenVerdict<P>, { valid: true }>;

/** What an entry takes beside its token's characters: claims, verdict, map slot. Measured roughly, counted generously. */
const entryOverheadBytes = 1_024;

/**
 * Verifies tokens of one profile, keeping the last used valid ones, within `maxEntries` and `maxBytes`. A repeated token
 * gives the same claims object until it expires or its key leaves the profile. Refused tokens are not remembered, so that
 * nobody fills it with rubbish. It knows nothing of revocation: the caller asks that of each verdict.
 */
export class TokenCache<P extends TokenPurpose> {
  readonly #profile: TokenProfile<P>;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  /** Least recently used first. */
  readonly #valid = new Map<string, Valid<P>>();
  #bytes = 0;

  constructor(profile: TokenProfile<P>, { maxEntries = 10_000, maxBytes = 16_777_216 }: Readonly<{ maxEntries?: number; maxBytes?: number }> = {}) {
    this.#profile = profile;
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  get size(): number { return this.#valid.size; }

  verify(token: string, nowSeconds: number): TokenVerdict<P> {
    const known = this.#valid.get(token);
    if (known !== undefined) {
      this.#forget(token);
      if (nowSeconds < known.claims.exp && this.#profile.keys.get(known.key.id) === known.key) {
        this.#remember(token, known);
        return known;
      }
    }
    const verdict = verifyToken(token, this.#profile, nowSeconds);
    if (verdict.valid) this.#remember(token, verdict);
    return verdict;
  }

  #remember(token: string, verdict: Valid<P>): void {
    this.#valid.set(token, verdict);
    this.#bytes += entryOverheadBytes + token.length;
    for (const oldest of this.#valid.keys()) {
      if (this.#valid.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) return;
      this.#forget(oldest);
    }
  }

  #forget(token: string): void {
    if (this.#valid.delete(token)) this.#bytes -= entryOverheadBytes + token.length;
  }
}
