/** What a principal may, as it is being edited: texts of a form, and what of it changed. */
import { Cidr, MaxSkew, type Principal, type PrincipalChange } from '@weir/contracts/identity';
import type { input } from 'zod';
import { wordsOf } from '../../words.ts';

export type PrincipalDraft = Readonly<{
  role: string;
  /** Words separated by commas or spaces. */
  permissions: string;
  networks: string;
  /** Seconds; empty for the usual 30. */
  skew: string;
}>;
export type PrincipalErrors = Readonly<Partial<Record<keyof PrincipalDraft, string>>>;

export const draftOfPrincipal = ({ role, permissions, networks, max_skew_seconds: skew }: Principal): PrincipalDraft =>
  ({ role, permissions: permissions.join(', '), networks: networks.join(', '), skew: skew === null ? '' : String(skew) });

export const newDraft: PrincipalDraft = { role: 'user', permissions: '', networks: '', skew: '' };

/** What is wrong with which field; `known` are all permissions that there are. */
export function errorsOf(draft: PrincipalDraft, known: ReadonlySet<string>): PrincipalErrors {
  const strange = wordsOf(draft.permissions).find((name) => !known.has(name));
  const network = wordsOf(draft.networks).find((text) => !Cidr.safeParse(text).success);
  return {
    ...(strange === undefined ? {} : { permissions: `There is no permission “${strange}”.` }),
    ...(network === undefined ? {} : { networks: `“${network}” is no network: write 192.0.2.0/24, 2001:db8::/32 or a single address.` }),
    ...(MaxSkew.safeParse(skewOf(draft) ?? 30).success ? {} : { skew: 'A whole number of seconds, from 1 to 300.' }),
  };
}

/** Only what is not as it was; nothing at all when nothing changed. */
export function changeOf(draft: PrincipalDraft, before: Principal): input<typeof PrincipalChange> {
  const [permissions, networks, skew] = [[...wordsOf(draft.permissions)], [...wordsOf(draft.networks)], skewOf(draft)];
  return {
    ...(draft.role === before.role ? {} : { role: draft.role }),
    ...(isSame(permissions, before.permissions) ? {} : { permissions }),
    ...(isSame(networks, before.networks) ? {} : { networks }),
    ...(skew === before.max_skew_seconds ? {} : { max_skew_seconds: skew }),
  };
}

export const skewOf = ({ skew }: PrincipalDraft): number | null => (skew.trim() === '' ? null : Number(skew));

const isSame = (one: readonly string[], other: readonly string[]): boolean => one.length === other.length && one.every((word, index) => word === other[index]);
