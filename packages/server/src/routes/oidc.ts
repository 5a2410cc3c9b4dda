/** Signing in at other providers, linking what one is there, and proving oneself again there. */
import { WeirError } from '@weir/contracts/errors';
import { page, toInstant } from '@weir/contracts/identity';
import { LinkedIdentity, Onward, ProviderName, type SignInProblem } from '@weir/contracts/sign-in';
import { externalOf, findExternal, linkExternal, unlinkExternal, type Subject } from '@weir/data/security-stores/external-identities';
import { stepUpSession, type StartedSession } from '@weir/data/security-stores/login-sessions';
import { requireWayIn } from '@weir/data/security-stores/ways-in';
import type { Tx } from '@weir/data/schema';
import { z } from 'zod';
import type { App } from '../app.ts';
import { changeEntry } from '../audit-trail.ts';
import { route, type Context } from '../route.ts';
import { countingRefusals } from '../serve-route.ts';
import { beginWay, endWay, ProviderRefused, wayEnded, type Errand } from '../sign-in/oidc-flow.ts';
import { principalOf, requireWelcome } from '../sign-in/oidc-principal.ts';
import { issuersOf, type OidcProvider } from '../sign-in/oidc-provider.ts';
import { requireSession } from '../sign-in/require-session.ts';
import { beginSession, giveSession } from '../sign-in/session-cookie.ts';

const ByName = z.strictObject({ name: ProviderName });
const ByIdentity = z.strictObject({ issuer: z.string().min(1).max(2_000), subject: z.string().min(1).max(500), last: z.literal('true').optional() });
type Coming = Context<z.output<typeof ByName>, unknown, unknown>;

export const routes = [
  route({
    method: 'GET', path: '/auth/oidc/:name', action: 'login.open', parameters: ByName, reply: 'stream', summary: 'Go to a provider to sign in there',
  }, async ({ app, parameters, incoming, reply }) => {
    const provider = providerOf(app, parameters.name);
    try {
      const { location, cookie } = await beginWay(app, provider, incoming, { for: 'sign-in' });
      reply.cookie(cookie).redirect(location);
    } catch (error) {
      if (!(error instanceof ProviderRefused)) throw error;
      reply.redirect(pageAfter(error.errand, error.problem));
    }
  }),

  route({
    method: 'GET', path: '/auth/oidc/:name/callback', action: 'login.open', parameters: ByName, query: z.record(z.string(), z.string()), reply: 'stream',
    summary: 'Where a provider sends the browser back to',
  }, async (context) => {
    const { app, reply } = context;
    reply.cookie(wayEnded(app));
    try {
      const { errand, session } = await comeBack(context);
      await app.gatekeeper.epochs.refresh();
      if (session !== undefined) giveSession(app, reply, session);
      reply.redirect(pageAfter(errand));
    } catch (error) {
      if (!(error instanceof ProviderRefused)) throw error;
      await countRefusal(context, error);
      reply.redirect(pageAfter(error.errand, error.problem));
    }
  }),

  route({
    method: 'POST', path: '/auth/oidc/:name/link', action: 'identity.link', parameters: ByName, reply: Onward, resource: () => ({ kind: 'own' }),
    summary: 'Where to go to link what you are at a provider',
  }, async (context) => onward(context, 'link')),

  route({
    method: 'POST', path: '/auth/oidc/:name/step-up', action: 'login_session.prove', parameters: ByName, reply: Onward, resource: () => ({ kind: 'own' }),
    summary: 'Where to go to prove at a provider who uses this session',
  }, async (context) => onward(context, 'step-up')),

  route({
    method: 'GET', path: '/auth/identities', action: 'identity.list', reply: page(LinkedIdentity), resource: () => ({ kind: 'own' }), summary: 'What you are linked to elsewhere',
  }, async ({ app, principal }) => ({
    items: (await externalOf(app.data.read, principal)).map(({ issuer, subject, created_at: at }) => ({
      issuer, subject, provider: [...app.oidc.values()].find(({ settings }) => settings.issuer === issuer)?.settings.name ?? null, created_at: toInstant(at),
    })),
    next_cursor: null,
  })),

  route({
    method: 'DELETE', path: '/auth/identities', action: 'identity.unlink', query: ByIdentity, resource: () => ({ kind: 'own' }),
    summary: 'Unlink an identity; the last way to sign in only with last=true',
  }, async ({ app, admission, principal, query: { issuer, subject, last }, requestId }) => {
    await app.audit.reduce(async (tx) => {
      await unlinkExternal(tx, { issuer, subject }, principal);
      if (last === undefined) await requireWayIn(tx, principal, issuersOf(app));
    }, changeEntry(admission, `principal:${principal}`, requestId, `unlinked from ${issuer}`));
  }),
];

function providerOf(app: App, name: string): OidcProvider {
  const provider = app.oidc.get(name);
  if (provider === undefined) throw new WeirError('object.absent', `There is no provider "${name}" here; see [[identity.oidc]].`);
  return provider;
}

async function onward({ app, admission, parameters, principal, incoming, reply }: Coming, what: 'link' | 'step-up'): Promise<z.input<typeof Onward>> {
  const provider = providerOf(app, parameters.name);
  try {
    const { location, cookie } = await beginWay(app, provider, incoming, { for: what, session: requireSession(admission), principal });
    reply.cookie(cookie);
    return { location };
  } catch (error) {
    if (!(error instanceof ProviderRefused)) throw error;
    throw new WeirError('server.unreachable', `${parameters.name} does not answer; try again shortly.`, { cause: error });
  }
}

/** Counts a way that did not lead here. The browser is sent to a page that says why, unless there were too many. That a provider is down is nobody's failure. */
async function countRefusal({ app, admission, address, requestId }: Coming, refused: ProviderRefused): Promise<void> {
  if (refused.problem === 'unreachable') return;
  try {
    await countingRefusals(app, { action: admission.action, address, requestId }, () => { throw refused; });
  } catch (counted) {
    if (!(counted instanceof WeirError) || counted.code !== 'identity.required') throw counted;
  }
}

/** Does what the way was for, in one transaction. */
async function comeBack(context: Coming): Promise<{ errand: Errand; session?: StartedSession }> {
  const { app, parameters, incoming } = context;
  const { settings } = providerOf(app, parameters.name);
  const came = await endWay(app, providerOf(app, parameters.name), incoming);
  const { errand } = came;
  requireWelcome(settings, came.claims, errand);
  return app.data.write(async (tx) => {
    if (errand.for === 'sign-in') {
      const principal = await principalOf(tx, app, settings, came, entryOf(context, ''));
      const session = await beginSession(tx, context, { principal, method: 'oidc', provedAtMs: came.provedAtMs, detail: `signed in by ${settings.name}` });
      if (session === undefined) throw new ProviderRefused('disabled', 'principal disabled');
      return { errand, session };
    }
    await requireOpen(tx, app, errand);
    if (errand.for === 'link') await link(tx, context, { issuer: settings.issuer, subject: came.subject, errand });
    else {
      const known = await findExternal(tx, { issuer: settings.issuer, subject: came.subject });
      if (known?.principal !== errand.principal) throw new ProviderRefused('unlinked', 'proof of somebody else', errand);
      await stepUpSession(tx, { id: errand.session, principal: errand.principal }, Math.min(came.provedAtMs, app.clock()));
      await app.audit.record(tx, { ...entryOf(context, errand.principal), object: `session:${errand.session}`, reason: `stepped up by ${settings.name}` });
    }
    return { errand };
  });
}

type OfSession = Exclude<Errand, { for: 'sign-in' }>;

/** The browser was sent away by a session; it is of no use to one that ended meanwhile. */
async function requireOpen(tx: Tx, app: App, errand: OfSession): Promise<void> {
  const open = await tx.selectFrom('login_session').innerJoin('principal', 'principal.id', 'login_session.principal').select('login_session.id')
    .where('login_session.id', '=', errand.session).where('login_session.principal', '=', errand.principal).where('ended_at', 'is', null)
    .where('login_session.expires_at', '>', app.clock()).where('principal.disabled', '=', 0).executeTakeFirst();
  if (open === undefined) throw new ProviderRefused('expired', 'session ended meanwhile', errand);
}

async function link(tx: Tx, context: Coming, { errand, ...subject }: Subject & { errand: OfSession }): Promise<void> {
  const { app } = context;
  if (await findExternal(tx, subject) !== undefined) throw new ProviderRefused('linked_elsewhere', 'subject is linked already', errand);
  await linkExternal(tx, subject, errand.principal, app.clock());
  await app.audit.record(tx, { ...entryOf(context, errand.principal), action: 'identity.link', object: `principal:${errand.principal}`, reason: `linked to ${subject.issuer}` });
}

/** The request itself comes without the session's cookie, so its entry names who it is for. */
const entryOf = ({ admission, requestId }: Coming, principal: string) => ({ ...changeEntry(admission, '', requestId), principal });

function pageAfter(errand: Errand, problem?: SignInProblem): string {
  const page = { 'sign-in': problem === undefined ? '/' : '/sign-in', link: '/account', 'step-up': '/stepped-up' }[errand.for];
  return problem === undefined ? page : `${page}?problem=${problem}`;
}
