/** Signing in by a link, signing out, and the sessions of one principal. */
import { LoginReply, LoginRequest, LoginSession, page, PrincipalId, SignInMethod, toInstant, Ulid } from '@weir/contracts/identity';
import { SignInMethods } from '@weir/contracts/sign-in';
import { endOtherSessions, endSession, listSessions, useSignInSecret } from '@weir/data/security-stores/login-sessions';
import { endEverything } from '@weir/data/security-stores/tokens';
import { EvidenceRefused } from '@weir/security/identity';
import { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { route } from '../route.ts';
import { relyingParty } from '../sign-in/page-address.ts';
import { beginSession, giveSession, takeSession } from '../sign-in/session-cookie.ts';

export const routes = [
  route({
    method: 'GET', path: '/auth/methods', action: 'login.open', reply: SignInMethods, summary: 'How one can sign in here, besides by a link',
  }, async ({ app, incoming }) => ({
    passkeys: relyingParty(app, incoming) !== undefined, providers: [...app.oidc.keys()].map((name) => ({ name })),
  })),

  route({
    method: 'POST', path: '/auth/login', action: 'login.open', body: LoginRequest, reply: LoginReply, summary: 'Use a one-time sign-in secret up and start a session',
  }, async (context) => {
    const { app, body, reply } = context;
    const session = await app.data.write(async (tx) => {
      const now = app.clock();
      const principal = await useSignInSecret(tx, body.secret, now);
      return principal === undefined ? undefined : beginSession(tx, context, { principal, method: 'link', provedAtMs: now, detail: 'signed in by link' });
    });
    if (session === undefined) throw new EvidenceRefused('sign-in secret');
    await app.gatekeeper.epochs.refresh();
    return giveSession(app, reply, session);
  }),

  route({
    method: 'POST', path: '/auth/logout', action: 'login_session.end', resource: () => ({ kind: 'own' }), summary: 'End the session that this request came with',
  }, async ({ app, admission, requestId, reply }) => {
    const { sessionId } = admission.identity;
    if (sessionId !== undefined) {
      await app.audit.reduce((tx) => endSession(tx, sessionId, app.clock()), changeEntry(admission, `session:${sessionId}`, requestId, 'signed out'));
      await app.gatekeeper.epochs.refresh();
    }
    takeSession(app, reply);
  }),

  route({
    method: 'POST', path: '/auth/logout-everywhere', action: 'login_session.end', resource: () => ({ kind: 'own' }),
    summary: 'End all your sessions and tokens, this one too',
  }, async ({ app, admission, principal, requestId, reply }) => {
    await app.audit.reduce((tx) => endEverything(tx, principal, app.clock()), changeEntry(admission, `principal:${principal}`, requestId, 'signed out everywhere'));
    await app.gatekeeper.epochs.refresh();
    takeSession(app, reply);
  }),

  route({
    method: 'GET', path: '/auth/sessions', action: 'login_session.list', query: z.strictObject({ owner: PrincipalId.optional() }), reply: page(LoginSession),
    resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'Signed-in sessions',
  }, async ({ app, admission, principal, query }) => ({
    items: (await listSessions(app.data.read, query.owner ?? principal, app.clock())).map((row) => ({
      session_id: row.id, principal: row.principal, created_at: toInstant(row.created_at), last_used_at: toInstant(row.last_used_at),
      expires_at: toInstant(row.expires_at), current: row.id === admission.identity.sessionId, stepped_up_at: row.stepped_up_at === 0 ? null : toInstant(row.stepped_up_at),
      method: SignInMethod.parse(row.method), agent: row.agent,
    })),
    next_cursor: null,
  })),

  route({
    method: 'POST', path: '/auth/sessions/end-others', action: 'login_session.end', resource: () => ({ kind: 'own' }),
    summary: 'End your sessions but the one that this request came with',
  }, async ({ app, admission, principal, requestId }) => {
    await app.audit.reduce((tx) => endOtherSessions(tx, principal, admission.identity.sessionId, app.clock()),
      (count) => changeEntry(admission, `principal:${principal}`, requestId, `${count} other sessions ended`));
    await app.gatekeeper.epochs.refresh();
  }),

  route({
    method: 'DELETE', path: '/auth/sessions/:id', action: 'login_session.end', parameters: z.strictObject({ id: Ulid }),
    resource: ({ id }) => ({ kind: 'object', type: 'login_session', id }), summary: 'End a session, its tokens and its streams',
  }, async ({ app, admission, parameters, requestId }) => {
    await app.audit.reduce((tx) => endSession(tx, parameters.id, app.clock()), changeEntry(admission, `session:${parameters.id}`, requestId));
    await app.gatekeeper.epochs.refresh();
  }),
];
