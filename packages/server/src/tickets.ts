/**
 * Tickets: made for one action on one object, used up at the first use, within 30 seconds. One for content is exchanged for a cookie of that
 * content's address, so that a media element goes on with ranges and no secret stays in an address.
 */
import { newUlid } from '@weir/contracts/clock';
import { consumeOneTimeSecret, storeOneTimeSecret } from '@weir/data/once';
import type { ActionName } from '@weir/security/actions';
import { objectName, type Resource } from '@weir/security/gatekeeper';
import { EvidenceRefused, type Identity } from '@weir/security/identity';
import type { Maybe } from '@weir/security/maybe';
import { hashOneTimeSecret } from '@weir/security/one-time-secrets';
import type { HeldGrant } from '@weir/security/principals';
import type { PassBasis } from '@weir/security/token-claims';
import { signToken } from '@weir/security/tokens';
import type { App } from './app.ts';
import type { Context } from './route.ts';

const purpose = 'ticket';
const ticketLifeMs = 30_000;
/** The cookie of a content ends with what it came of, and at the latest after this. */
const longestViewingMs = 12 * 3_600_000;

export const viewingCookie = (secure: boolean): string => (secure ? '__Secure-weir-media' : 'weir-media');

/** A ticket that speaks for this identity, and no more than it does now. The caller has been admitted to the action on the object. */
export async function makeTicket(app: App, identity: Identity, grant: HeldGrant | undefined, action: ActionName, resource: Resource): Promise<{ ticket: string; expiresAtMs: number }> {
  const now = app.clock();
  const endsMs = Math.min(identity.expiresAtMs, grant?.expiresAtMs ?? Infinity);
  const expiresAtMs = Math.min(now + ticketLifeMs, endsMs);
  const jti = newUlid(now);
  const principal = identity.principal ?? '';
  const ticket = signToken('ticket', { ...commonClaims(app, principal, jti, expiresAtMs), action, object: boundTo(resource), ...basisOf(identity, grant, endsMs) }, app.signing.ticket.signing);
  await app.data.write((tx) => storeOneTimeSecret(tx, { hash: hashOneTimeSecret(purpose, jti), purpose, subject: principal, facts: '{}', expires_at: expiresAtMs }));
  return { ticket, expiresAtMs };
}

/** Whether the pass that an identity came with is for this. A ticket is used up by asking. Throws `EvidenceRefused` for anything else. */
export function redeem(app: App, { pass, via }: Identity, action: ActionName, resource: Resource): Maybe<void> {
  if (pass === undefined) return undefined;
  if (pass.object !== boundTo(resource) || action !== ('action' in pass ? pass.action : 'content.read')) throw new EvidenceRefused(`${via} for something else`, pass.sub);
  return 'action' in pass ? useUp(app, pass.jti, pass.sub) : undefined;
}

async function useUp(app: App, jti: string, claimed: string): Promise<void> {
  const row = await app.data.writeReadCommitted((tx) => consumeOneTimeSecret(tx, hashOneTimeSecret(purpose, jti), purpose, app.clock()));
  if (row === undefined) throw new EvidenceRefused('ticket used before', claimed);
}

/** Answers a reading that came by a ticket: the same address without it, and the cookie that opens that address from now on. */
export function exchangeTicket({ app, admission: { identity, grant }, parameters, query, reply }: Context<{ cid: string }, Readonly<Record<string, string | undefined>>, unknown>): void {
  const { pass } = identity;
  if (pass === undefined) throw new EvidenceRefused('no ticket');
  const now = app.clock();
  const endsMs = Math.min(identity.expiresAtMs, grant?.expiresAtMs ?? Infinity);
  const expiresAtMs = Math.min(now + longestViewingMs, endsMs);
  const token = signToken('playlist', { ...commonClaims(app, pass.sub, newUlid(now), expiresAtMs), object: pass.object, ...basisOf(identity, grant, endsMs) }, app.signing.playlist.signing);
  const path = `/api/v1/content/${encodeURIComponent(parameters.cid)}`;
  const rest = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) rest.set(name, value);
  reply.header('set-cookie', `${viewingCookie(app.secure)}=${token}; Path=${path}; Max-Age=${Math.max(0, Math.floor((expiresAtMs - now) / 1_000))}; HttpOnly; SameSite=Strict${app.secure ? '; Secure' : ''}`)
    .header('location', rest.size === 0 ? path : `${path}?${rest.toString()}`).send(302);
}

/** What a pass is bound to, with whose: another owner's list is another object. */
function boundTo(resource: Resource): string {
  const owner = 'owner' in resource && resource.owner !== undefined ? `@${resource.owner}` : '';
  return `${resource.kind === 'own' ? 'own' : objectName(resource)}${owner}`;
}

function commonClaims(app: App, sub: string, jti: string, expiresAtMs: number) {
  const iat = Math.floor(app.clock() / 1_000);
  return { iss: app.tokenAudience, aud: app.tokenAudience, sub, iat, nbf: iat, exp: Math.max(iat, Math.floor(expiresAtMs / 1_000)), jti };
}

/** What the identity stands on: when any of it ends, the pass ends. Narrowed rights are listed, so that it stays as narrow. */
function basisOf({ sessionId, tokenId, keyId, tokenRole, effective, via, pass }: Identity, grant: HeldGrant | undefined, endsMs: number): PassBasis {
  const isNarrowed = via === 'token' || via === 'proxy' || pass?.permissions !== undefined;
  return {
    ...(sessionId === undefined ? {} : { sid: sessionId }), ...(tokenId === undefined ? {} : { tid: tokenId }), ...(keyId === undefined ? {} : { key: keyId }),
    ...(tokenRole === undefined ? {} : { role: tokenRole }), ...(isNarrowed ? { permissions: [...effective] } : {}), ...(grant === undefined ? {} : { grant: grant.id }),
    ...(endsMs === Infinity ? {} : { end: Math.floor(endsMs / 1_000) }),
  };
}
