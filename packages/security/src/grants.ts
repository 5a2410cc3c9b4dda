/** Narrowing of grants: whether a child lies inside its parent in every dimension. Pure; what a whole chain allows is decided where it is used. */
import { networksWithin } from './networks.ts';

/** How far a grant reaches. Its object is one holding: objects have no prefixes here. */
export type GrantReach = Readonly<{
  verbs: readonly string[];
  holding: string;
  validFromMs: number;
  expiresAtMs: number;
  /** In CIDR; none is everywhere. */
  networks: readonly string[];
  /** Openings that are left; undefined for any number. */
  uses: number | undefined;
  /** The only principal that may use it; undefined for anyone. */
  principal: string | undefined;
}>;

export type GrantDimension = 'verbs' | 'object' | 'window' | 'networks' | 'uses' | 'principal';

/** The first dimension in which `child` reaches beyond `parent`; undefined when it is inside in all. */
export function reachesBeyond(child: GrantReach, parent: GrantReach): GrantDimension | undefined {
  if (!child.verbs.every((verb) => parent.verbs.includes(verb))) return 'verbs';
  if (child.holding !== parent.holding) return 'object';
  if (child.validFromMs < parent.validFromMs || child.expiresAtMs > parent.expiresAtMs) return 'window';
  if (!networksWithin(child.networks, parent.networks)) return 'networks';
  if (parent.uses !== undefined && (child.uses === undefined || child.uses > parent.uses)) return 'uses';
  if (parent.principal !== undefined && child.principal !== parent.principal) return 'principal';
  return undefined;
}

/** How many links a chain may have: a grant that its owner made, and what was narrowed from it, one from the other. */
export const longestChain = 8;
