/** Verified tokens, remembered: one that comes again costs a lookup instead of a signature check. */
import { Generations } from './generations.ts';
import { verifyToken, type TokenProfile, type TokenVerdict } from './tokens.ts';
import type { TokenPurpose } from './token-claims.ts';

type Valid<P extends TokenPurpose> = Extract<TokenVerdict<P>, { valid: true }>;

/** What an entry takes beside its token's characters: claims, verdict, map slot. Measured roughly, counted generously. */
const entryOverheadBytes = 1_024;
const weightOf = (token: string): number => entryOverheadBytes + token.length;

/**
 * Verifies tokens of one profile, keeping the recently used valid ones, within `maxBytes` (about 20 000 usual tokens in 32 MiB). A repeated
 * token gives the same claims object until it expires or its key leaves the profile. Refused tokens are not remembered, so that nobody
 * fills it with rubbish. It knows nothing of revocation: the caller asks that of each verdict.
 */
export class TokenCache<P extends TokenPurpose> {
  readonly #profile: TokenProfile<P>;
  readonly #valid: Generations<Valid<P>>;

  constructor(profile: TokenProfile<P>, { maxBytes = 33_554_432 }: Readonly<{ maxBytes?: number }> = {}) {
    this.#profile = profile;
    this.#valid = new Generations(maxBytes);
  }

  get size(): number { return this.#valid.size; }

  verify(token: string, nowSeconds: number): TokenVerdict<P> {
    const known = this.#valid.get(token, weightOf(token));
    if (known !== undefined) {
      if (nowSeconds < known.claims.exp && this.#profile.keys.get(known.key.id) === known.key) return known;
      this.#valid.delete(token, weightOf(token));
    }
    const verdict = verifyToken(token, this.#profile, nowSeconds);
    if (verdict.valid) this.#valid.set(token, verdict, weightOf(token));
    return verdict;
  }
}
