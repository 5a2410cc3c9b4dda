/** What a provider says of somebody, and what that makes them here. */
import { hash } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { externalName, type Subject } from '@weir/data/security-stores/external-identities';
import { isSubject } from '@weir/security/external-issuers';
import type { OidcSettings } from '../config/schema.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** The role for these claims: the first entry of the map that the claim has, else the default; undefined when nothing fits. */
export function roleFor({ role_claim: claim, role_map: map, default_role: fallback }: OidcSettings, claims: Claims): string | undefined {
  const values = new Set(claim === undefined ? [] : stringsOf(claimAt(claims, claim)));
  return Object.entries(map).find(([value]) => values.has(value))?.[1] ?? fallback;
}

/** Whether a verified address is of an allowed domain. An address that the provider did not verify is none. */
export function domainAllowed({ allowed_domains: allowed }: OidcSettings, { email, email_verified: verified }: Claims): boolean {
  if (allowed.length === 0) return true;
  if (typeof email !== 'string' || verified !== true) return false;
  const at = email.lastIndexOf('@');
  return at > 0 && allowed.some((domain) => domain.toLowerCase() === email.slice(at + 1).toLowerCase());
}

/**
 * The name of a principal that is made for a subject: what the provider calls it, as far as that can be a name, and twenty characters of
 * the name that is the subject's alone. Without those a subject could ask for the name of somebody who was deleted, and with it for what they owned.
 */
export function readableName(subject: Subject, { preferred_username: username, email }: Claims): string {
  const wish = [username, email].find((value) => typeof value === 'string') ?? '';
  const plain = String(wish).split('@')[0]?.toLowerCase().replace(/[^a-z0-9._-]+/g, '-').replace(/^[._-]+|[._-]+$/g, '').slice(0, 40) ?? '';
  return `${plain === '' ? 'ext' : plain}-${externalName(subject).slice(-20)}`;
}

/** The claims that are looked at, so that the provider is asked for more only when one is missing. */
export function claimsNeeded({ role_claim: claim, allowed_domains: allowed, create }: OidcSettings): string[] {
  return [...(claim === undefined ? [] : [claim]), ...(allowed.length === 0 ? [] : ['email', 'email_verified']), ...(create ? ['preferred_username'] : [])];
}

/** A claim by its name, or by a path of names with dots between them. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let place: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof place !== 'object' || place === null || !Object.hasOwn(place, name)) return undefined;
    place = Object.getOwnPropertyDescriptor(place, name)?.value;
  }
  return place;
}

const stringsOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === 'string').slice(0, 1_000);

const hashByLength: Readonly<Record<number, string>> = { 22: 'sha256', 32: 'sha384', 43: 'sha512' };

/**
 * What a client has to look at beside what the library does (OpenID Connect Core §2, §3.1.3.7 and §3.1.3.8): the party that the ID token
 * was made for, the access token that it came with, and a subject that can be kept as it is. Throws `identity.required`.
 */
export function requireForUs({ sub, azp, at_hash: half }: Claims & Readonly<{ sub: string }>, clientId: string, accessToken: string): void {
  if (!isSubject(sub)) throw new WeirError('identity.required', 'The provider named a subject that can not be kept.');
  if (azp !== undefined && azp !== clientId) throw new WeirError('identity.required', 'The ID token was made for another client.');
  if (half === undefined) return;
  const algorithm = typeof half === 'string' ? hashByLength[half.length] : undefined;
  const digest = algorithm === undefined ? undefined : hash(algorithm, accessToken, 'buffer');
  if (digest?.subarray(0, digest.length / 2).toString('base64url') !== half) throw new WeirError('identity.required', 'The ID token came with another access token.');
}
