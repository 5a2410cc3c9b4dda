/**
 * The way to a provider and back: authorization code with PKCE, state and nonce (OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9207).
 * The browser alone holds the secret of its way, in a cookie; state, nonce and verifier are made of it, and its hash is what is stored,
 * so a way is gone once, by the browser that began it, within ten minutes.
 */
import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WeirError } from '@weir/contracts/errors';
import type { SignInProblem } from '@weir/contracts/sign-in';
import { consumeOneTimeSecret, storeOneOfMany } from '@weir/data/once';
import { stepUpWindowMs } from '@weir/security/actions';
import { EvidenceRefused } from '@weir/security/identity';
import { hashOneTimeSecret, makeOneTimeSecret } from '@weir/security/one-time-secrets';
import { constantTimeEqual } from '@weir/security/secret';
import { authorizationCodeGrant, buildAuthorizationUrl, calculatePKCECodeChallenge, fetchUserInfo, type Configuration } from 'openid-client';
import { z } from 'zod';
import type { App } from '../app.ts';
import { readCookie } from '../evidence.ts';
import { claimAt, claimsNeeded, requireForUs, type Claims } from './oidc-claims.ts';
import type { OidcProvider } from './oidc-provider.ts';
import { pageAddress } from './page-address.ts';
import { cookieText } from './session-cookie.ts';

const purpose = 'oidc';
const lifeMs = 600_000;
/** Anyone may begin one; more than these do not wait. */
const mostWaiting = 10_000;

/** What the way is for. A session that is linked or proved is named when the way begins, where its cookie came along. */
export const Errand = z.discriminatedUnion('for', [
  z.strictObject({ for: z.literal('sign-in') }),
  z.strictObject({ for: z.enum(['link', 'step-up']), session: z.string(), principal: z.string() }),
]);
export type Errand = z.infer<typeof Errand>;
const Way = z.strictObject({ errand: Errand, redirect: z.url() });

/** Somebody came back without a proof, or with one that does not let them in; `problem` is what their page says. */
export class ProviderRefused extends EvidenceRefused {
  readonly problem: SignInProblem;
  readonly errand: Errand;
  constructor(problem: SignInProblem, reason: string, errand: Errand = { for: 'sign-in' }) {
    super(`oidc: ${reason}`.slice(0, 200));
    this.problem = problem;
    this.errand = errand;
  }
}

/** Where the browser goes, and the cookie that makes it the one that may come back. Errors: `ProviderRefused` (unreachable). */
export async function beginWay(app: App, provider: OidcProvider, incoming: IncomingMessage, errand: Errand): Promise<{ location: string; cookie: string }> {
  const { name, scopes } = provider.settings;
  const configuration = await provider.configuration().catch((error: unknown) => { throw unreachable(app, name, error, errand); });
  const secret = makeOneTimeSecret();
  const now = app.clock();
  const redirect = new URL(`/auth/oidc/${name}/callback`, pageAddress(app, incoming)).href;
  const location = buildAuthorizationUrl(configuration, {
    redirect_uri: redirect, scope: scopes.join(' '), response_type: 'code', state: derived(secret, 'state'), nonce: derived(secret, 'nonce'),
    code_challenge: await calculatePKCECodeChallenge(derived(secret, 'verifier')), code_challenge_method: 'S256',
    ...(errand.for === 'step-up' ? { prompt: 'login', max_age: String(maxAgeSeconds) } : {}),
  });
  const row = { hash: hashOneTimeSecret(purpose, secret), purpose, subject: name, facts: JSON.stringify({ errand, redirect }), expires_at: now + lifeMs };
  await app.data.write((tx) => storeOneOfMany(tx, row, mostWaiting, now));
  return { location: location.href, cookie: cookieText(app, cookieName(app), secret, { maxAgeSeconds: lifeMs / 1_000, sameSite: 'Lax' }) };
}
const maxAgeSeconds = stepUpWindowMs / 2_000;

/** Who came back, as the provider says; `provedAtMs` 0 if it does not say when. Errors: `ProviderRefused`. */
export async function endWay(app: App, provider: OidcProvider, incoming: IncomingMessage): Promise<Readonly<{ errand: Errand; claims: Claims; subject: string; provedAtMs: number }>> {
  const query = (incoming.url ?? '').split('?')[1] ?? '';
  const secret = readCookie(incoming.headers.cookie ?? '', cookieName(app));
  if (secret === undefined || !/^[A-Za-z0-9_-]{43}$/.test(secret)) throw new ProviderRefused('expired', 'no cookie of this browser');
  const expectedState = derived(secret, 'state');
  // Before it is used up: an address that somebody else made does not end the way.
  const states = new URLSearchParams(query).getAll('state');
  if (states.length !== 1 || !constantTimeEqual(Buffer.from(states[0] ?? ''), Buffer.from(expectedState))) throw new ProviderRefused('expired', 'state of another browser');
  const used = await app.data.write((tx) => consumeOneTimeSecret(tx, hashOneTimeSecret(purpose, secret), purpose, app.clock()));
  if (used === undefined || used.subject !== provider.settings.name) throw new ProviderRefused('expired', 'used, expired, or of another provider');
  const { errand, redirect } = Way.parse(JSON.parse(used.facts));
  try {
    const configuration = await provider.configuration();
    const tokens = await authorizationCodeGrant(configuration, new URL(`${redirect}?${query}`), {
      pkceCodeVerifier: derived(secret, 'verifier'), expectedState, expectedNonce: derived(secret, 'nonce'), idTokenExpected: true,
      ...(errand.for === 'step-up' ? { maxAge: maxAgeSeconds } : {}),
    });
    const said = tokens.claims();
    if (said === undefined) throw new WeirError('identity.required', 'The provider sent no ID token.');
    requireForUs(said, provider.settings.client_id, tokens.access_token);
    const claims = await completed(configuration, provider, { ...said }, said.sub, tokens.access_token);
    return { errand, claims, subject: said.sub, provedAtMs: (said.auth_time ?? 0) * 1_000 };
  } catch (error) {
    if (chain(error).some((one) => one instanceof WeirError && (one.code.startsWith('outbound.') || one.code === 'rate.exceeded'))) throw unreachable(app, provider.settings.name, error, errand);
    app.log.warn({ provider: provider.settings.name, why: why(error) }, 'a sign-in at a provider was refused');
    throw new ProviderRefused('refused', why(error), errand);
  }
}

/** The cookie is of no use any more, whatever came of it. */
export const wayEnded = (app: App): string => cookieText(app, cookieName(app), '', { maxAgeSeconds: 0, sameSite: 'Lax' });

/** Lax, as it must come along when the provider sends the browser back; the session's cookie stays Strict. */
const cookieName = (app: App): string => (app.secure ? '__Host-weir-oidc' : 'weir-oidc');

const derived = (secret: string, what: 'state' | 'nonce' | 'verifier'): string => createHmac('sha256', secret).update(`weir/oidc/${what}`).digest('base64url');

/** Claims that the ID token lacks are asked of the provider (§5.3), which must speak of the same subject. */
async function completed(configuration: Configuration, { settings }: OidcProvider, claims: Claims, subject: string, accessToken: string): Promise<Claims> {
  const isComplete = claimsNeeded(settings).every((name) => claimAt(claims, name) !== undefined);
  if (isComplete || configuration.serverMetadata().userinfo_endpoint === undefined) return claims;
  return { ...await fetchUserInfo(configuration, accessToken, subject), ...claims };
}

function unreachable(app: App, provider: string, error: unknown, errand: Errand): ProviderRefused {
  app.log.warn({ provider, why: why(error) }, 'a provider can not be reached');
  return new ProviderRefused('unreachable', 'provider unreachable', errand);
}

/** What went wrong in words that hold no token: codes and sentences of the errors, not what they carry. */
const why = (error: unknown): string => chain(error).map((one) => {
  const code = 'code' in one && typeof one.code === 'string' ? one.code : one.name;
  const said = 'error' in one && typeof one.error === 'string' ? ` ${one.error}` : '';
  return `${code}${said}: ${one.message}`;
}).join('; ').slice(0, 500);

const mostCauses = 5;
function chain(error: unknown): Error[] {
  const found: Error[] = [];
  for (let one = error; one instanceof Error && found.length < mostCauses; one = one.cause) found.push(one);
  return found;
}
