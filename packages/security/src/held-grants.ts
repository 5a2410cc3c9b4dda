/** Grants as they hold now: each with the whole chain that it was narrowed from, from rows that are remembered until their epoch moves. */
import type { Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { Directory } from './directory.ts';
import { longestChain } from './grants.ts';
import { after, type Maybe } from './maybe.ts';
import type { GrantRecord, HeldGrant, PrincipalRecord } from './principals.ts';

type Parts = Readonly<{
  grant: (id: string) => Promise<GrantRecord | undefined>;
  issuer: (id: string) => Maybe<PrincipalRecord | undefined>;
  clock: Clock;
}>;

export class HeldGrants {
  readonly #rows: Directory<GrantRecord>;
  readonly #issuer: Parts['issuer'];
  readonly #clock: Clock;

  constructor({ grant, issuer, clock }: Parts) {
    this.#rows = new Directory(grant);
    this.#issuer = issuer;
    this.#clock = clock;
  }

  forget(id: string): void { this.#rows.forget(id); }

  /** The grant, if it and all that it comes of hold now, from there. Throws `policy.refused`: whoever holds one had it from its issuer. */
  held(id: string, address: string, links = longestChain): Maybe<HeldGrant> {
    return after(after(this.#rows.find(id), (grant) => this.#check(grant, address)), (grant) => {
      const counted = grant.usesLeft === undefined ? [] : [id];
      if (grant.parent === undefined) return { ...grant, chain: [id], counted };
      if (links <= 1) throw withdrawn();
      return after(this.held(grant.parent, address, links - 1), (parent) => ({
        ...within(grant, parent), chain: [id, ...parent.chain], counted: [...counted, ...parent.counted],
      }));
    });
  }

  #check(grant: GrantRecord | undefined, address: string): Maybe<GrantRecord> {
    const nowMs = this.#clock();
    if (grant === undefined || grant.revoked) throw withdrawn();
    if (nowMs < grant.validFromMs || nowMs >= grant.expiresAtMs) throw new WeirError('policy.refused', 'This link has expired; ask its owner for a new one.');
    if (!grant.networks.contains(address)) throw new WeirError('policy.refused', 'This link does not work from your network.');
    return after(this.#issuer(grant.issuer), (issuer) => {
      if (issuer === undefined || issuer.disabled || !issuer.rights.has('share_content')) throw withdrawn();
      return grant;
    });
  }
}

const withdrawn = (): WeirError => new WeirError('policy.refused', 'The right that this link gave was withdrawn.');

/** What a grant and the one that it was narrowed from allow together: nothing, where their rows contradict each other. */
function within(grant: GrantRecord, parent: GrantRecord): GrantRecord {
  const principal = grant.principal ?? parent.principal;
  if (grant.holding !== parent.holding || grant.issuer !== parent.issuer || (parent.principal ?? principal) !== principal) throw withdrawn();
  return {
    ...grant, principal, verbs: grant.verbs.filter((verb) => parent.verbs.includes(verb)),
    validFromMs: Math.max(grant.validFromMs, parent.validFromMs), expiresAtMs: Math.min(grant.expiresAtMs, parent.expiresAtMs),
    networks: { contains: (address) => grant.networks.contains(address) && parent.networks.contains(address) },
  };
}
