/** Reads who a request says it comes from, and asks whether that is so. */
import type { IncomingHttpHeaders } from 'node:http';
import { WeirError } from '@weir/contracts/errors';
import { cookiesNamed } from '@weir/security/header-fields';
import { EvidenceRefused, type Identities, type Identity } from '@weir/security/identity';
import { after, rescue, type Maybe } from '@weir/security/maybe';
import type { HeldGrant } from '@weir/security/principals';
import { replayKey, type ReplayStore } from '@weir/security/replay';
import { dffmpegHeaders } from '@weir/security/request-signing/dffmpeg';
import { readRequestSignature, type ReadSignature, type RequestMessage } from '@weir/security/request-signing/http-message';
import type { ProxyClaim } from './proxy-claim.ts';

export type SignatureClaim = Readonly<{ principal: string; timestamp: string; signature: string }>;

/** Evidence as it came. `signature` needs the digest of the body before it can be judged. */
export type Evidence = Readonly<{
  signature: SignatureClaim | undefined; message: ReadSignature | undefined; bearer: string | undefined; session: string | undefined; proxy: ProxyClaim | undefined;
  /** Evidence in the address, and the cookie of one content. */
  grant: string | undefined; ticket: string | undefined; viewing: string | undefined;
}>;

export const sessionCookie = (secure: boolean): string => (secure ? '__Host-weir' : 'weir');

/** Headers that are there in part, twice, or in a form that nothing uses, are refused evidence; an absent one is none. */
export function readEvidence(
  { method, target, headers }: Readonly<{ method: string; target: string; headers: IncomingHttpHeaders }>,
  { instance, cookieName, viewingName, cookieCounts, proxy, queryTokens }: Readonly<{
    instance: string; cookieName: string; viewingName: string; cookieCounts: boolean; proxy: ProxyClaim | undefined; queryTokens: boolean;
  }>,
): Evidence {
  const mark = target.indexOf('?');
  const query = mark === -1 ? undefined : target.slice(mark + 1);
  const cookies = headers.cookie === undefined || !cookieCounts ? undefined : headers.cookie;
  const queryToken = query === undefined || !queryTokens ? undefined : readOnce(query, 'token');
  if (queryToken !== undefined && headers.authorization !== undefined) throw new EvidenceRefused('two tokens');
  return {
    signature: readSignature(headers),
    message: headers['signature-input'] === undefined && headers['signature'] === undefined ? undefined : readMessage({ method, target, headers }, instance),
    bearer: headers.authorization === undefined ? queryToken : readBearer(headers.authorization),
    session: cookies === undefined ? undefined : readCookie(cookies, cookieName),
    proxy,
    grant: query === undefined ? undefined : readOnce(query, 'grant'),
    ticket: query === undefined ? undefined : readOnce(query, 'ticket'),
    viewing: cookies === undefined ? undefined : readCookie(cookies, viewingName),
  };
}

function readSignature(headers: IncomingHttpHeaders): SignatureClaim | undefined {
  const principal = headers[dffmpegHeaders.clientId];
  const timestamp = headers[dffmpegHeaders.timestamp];
  const signature = headers[dffmpegHeaders.signature];
  if (principal === undefined && timestamp === undefined && signature === undefined) return undefined;
  if (typeof principal !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string') throw new EvidenceRefused('signature incomplete');
  return { principal, timestamp, signature };
}

function readMessage(request: RequestMessage, instance: string): ReadSignature {
  const read = readRequestSignature(request, instance);
  if (read === undefined) throw new EvidenceRefused('message signature malformed');
  return read;
}

const bearerScheme = /^Bearer /i;
const longestBearer = 8_199;

function readBearer(header: string): string {
  // Nothing but the scheme is read here: a token has one spelling, and whoever verifies it refuses any other character.
  if (header.length > longestBearer || !bearerScheme.test(header)) throw new EvidenceRefused('authorization header');
  return header.slice(7);
}

/** The value of a cookie; two of one name are refused. */
export function readCookie(header: string, name: string): string | undefined {
  if (header.length > 8_192) throw new EvidenceRefused('cookie header');
  const found = cookiesNamed(header, name);
  if (found.length > 1) throw new EvidenceRefused('two cookies of one name');
  return found[0];
}

function readOnce(query: string, name: 'grant' | 'ticket' | 'token'): string | undefined {
  if (!query.includes(`${name}=`)) return undefined;
  const values = new URLSearchParams(query).getAll(name);
  if (values.length > 1) throw new EvidenceRefused(`two of ${name}`);
  return values[0];
}

/** What a `dffmpeg` signature covers, and the raw target that a repetition is recognised by. */
export type Signed = Readonly<{ method: string; path: string; target: string; bodyDigest: string }>;
export type Identified = Readonly<{ identity: Identity; grant: HeldGrant | undefined }>;

/**
 * The identity that all the evidence agrees on. Two kinds that name different principals are refused; two of the same one leave what both
 * allow. A grant in the URL stands alone for its object, unless it is bound to a principal, who must then show other evidence.
 */
export function identify(identities: Identities, replay: ReplayStore, evidence: Evidence, signed: Signed, address: string): Maybe<Identified> {
  if (evidence.grant !== undefined && evidence.ticket !== undefined) throw new EvidenceRefused('a grant and a ticket');
  return after(evidence.grant === undefined ? undefined : identities.grant(evidence.grant, address), (grant) => {
    if (grant !== undefined && grant.principal === undefined) return { identity: { ...identities.anonymous, principal: undefined, effective: none }, grant };
    return after(agreed(identities, replay, evidence, signed, address), (identity) => {
      if (grant !== undefined && grant.principal !== identity.principal) throw new WeirError('policy.refused', 'This link is for somebody else; sign in as the person it was made for.');
      const passed = identity.pass?.grant;
      return passed === undefined || grant !== undefined ? { identity, grant } : after(identities.grantById(passed, address), (held) => ({ identity, grant: held }));
    });
  });
}
const none: ReadonlySet<string> = new Set();

/** Kind after kind, each only once the one before has passed. */
function agreed(identities: Identities, replay: ReplayStore, { signature, message, bearer, session, proxy, ticket, viewing }: Evidence, signed: Signed, address: string): Maybe<Identity> {
  return after(signature === undefined ? undefined : bySignature(identities, replay, signature, signed, address), (bySigned) =>
    after(message === undefined ? bySigned : agree(bySigned, byMessage(identities, replay, message, signed, address)), (byMessages) =>
      after(bearer === undefined ? byMessages : agree(byMessages, identities.byBearer(bearer, address)), (byBearers) =>
        after(session === undefined ? byBearers : agree(byBearers, identities.bySession(session, address)), (bySessions) =>
          after(proxy === undefined ? bySessions : agree(bySessions, identities.byProxy(proxy, address)), (byProxies) =>
            after(ticket === undefined ? byProxies : agree(byProxies, identities.byPass('ticket', ticket, address)), (byTickets) =>
              after(viewing === undefined ? byTickets : beside(byTickets, () => identities.byPass('playlist', viewing, address)), (identity) => identity ?? identities.anonymous)))))));
}

function bySignature(identities: Identities, replay: ReplayStore, claim: SignatureClaim, signed: Signed, address: string): Maybe<Identity> {
  return after(identities.bySignature(claim, signed, address), ({ identity, mac, validUntilMs }) => {
    // Programs may ask the same thing twice within a second, and get the same signature; a change happens once.
    if (signed.method === 'GET' || signed.method === 'HEAD') return identity;
    // The path and not the target: this signature does not cover the query, so with another query it would pass for another request.
    const accepted = replay.accepts(replayKey(claim.principal, mac, signed.path), Number(claim.timestamp) * 1_000, validUntilMs);
    return after(accepted, (isFirst) => firstTime(isFirst, identity, claim.principal));
  });
}

/** A message signature has a nonce, so each is good once, for reading too. */
function byMessage(identities: Identities, replay: ReplayStore, read: ReadSignature, signed: Signed, address: string): Maybe<Identity> {
  return after(identities.byMessage(read, address), ({ identity, mac, validUntilMs }) => {
    const accepted = replay.accepts(replayKey(read.keyId, mac, signed.target), read.createdSeconds * 1_000, validUntilMs);
    return after(accepted, (isFirst) => firstTime(isFirst, identity, read.keyId));
  });
}

function firstTime(isFirst: boolean, identity: Identity, claimed: string): Identity {
  if (!isFirst) throw new EvidenceRefused('repeated, or signed before what was accepted is remembered', claimed);
  return identity;
}

/** The cookie of a content comes along with whatever else a browser sends: beside other evidence it adds nothing, and may have ended; only another's is refused. */
function beside(first: Identity | undefined, ask: () => Maybe<Identity>): Maybe<Identity> {
  if (first === undefined) return ask();
  const ended = (error: unknown): Identity => {
    if (error instanceof EvidenceRefused) return first;
    throw error;
  };
  const sameOnly = (other: Identity): Identity => {
    if (other.principal !== first.principal) throw new EvidenceRefused('cookie of another', other.principal);
    return first;
  };
  return after(rescue(ask, ended), sameOnly);
}

function agree(first: Identity | undefined, other: Maybe<Identity>): Maybe<Identity> {
  if (first === undefined) return other;
  return after(other, (second) => {
    if (first.principal !== second.principal) throw new EvidenceRefused('evidence names two principals', first.principal);
    return { ...second, effective: new Set([...second.effective].filter((permission) => first.effective.has(permission))) };
  });
}
