/** Signing in by a link, signing out, and the sessions of one principal. */
import { WeirError } from '@weir/contracts/errors';
import { LoginReply, LoginRequest, LoginSession, page, PrincipalId, toInstant, Ulid } from '@weir/contracts/identity';
import { endSession, listSessions, signIn } from '@weir/data/security-stores/login-sessions';
import { EvidenceRefused } from '@weir/security/identity';
import { limitKey } from '@weir/security/networks';
import { z } from 'zod';
import type { App } from '../app.ts';
import { changeEntry } from '../audit-trail.ts';
import { sessionCookie } from '../evidence.ts';
import { route } from '../route.ts';
import { RateExceeded } from '../serve-route.ts';

export const routes = [
  route({
    method: 'POST', path: '/auth/login', action: 'login.open', body: LoginRequest, reply: LoginReply, summary: 'Use a one-time sign-in secret up and start a session',
  }, async ({ app, address, admission, body, requestId, reply }) => {
    const lifeMs = app.config.streaming_security.session_expiry_seconds * 1_000;
    const session = await app.data.write(async (tx) => {
      const started = await signIn(tx, body.secret, { now: app.clock(), lifeMs });
      if (started !== undefined) await app.audit.record(tx, { ...changeEntry(admission, `session:${started.id}`, requestId, 'signed in by link'), principal: started.principal });
      return started;
    });
    if (session === undefined) {
      app.gatekeeper.refuseEvidence(new EvidenceRefused('sign-in secret'), { action: 'login.open', address, requestId });
      const verdict = await app.limits.take('auth_failures', limitKey(address), performance.now());
      if (!verdict.allowed) throw new RateExceeded(verdict);
      throw new WeirError('identity.required');
    }
    reply.header('set-cookie', cookie(app, session.cookie, Math.floor(lifeMs / 1_000)));
    return { principal: session.principal, role: session.role, expires_at: toInstant(session.expiresAtMs) };
  }),

  route({
    method: 'POST', path: '/auth/logout', action: 'login_session.end', resource: () => ({ kind: 'own' }), summary: 'End the session that this request came with',
  }, async ({ app, admission, requestId, reply }) => {
    const { sessionId } = admission.identity;
    if (sessionId !== undefined) {
      await app.audit.reduce((tx) => endSession(tx, sessionId, app.clock()), changeEntry(admission, `session:${sessionId}`, requestId, 'signed out'));
      await app.gatekeeper.epochs.refresh();
    }
    reply.header('set-cookie', cookie(app, '', 0));
  }),

  route({
    method: 'GET', path: '/auth/sessions', action: 'login_session.list', query: z.strictObject({ owner: PrincipalId.optional() }), reply: page(LoginSession),
    resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'Signed-in sessions',
  }, async ({ app, admission, principal, query }) => ({
    items: (await listSessions(app.data.read, query.owner ?? principal, app.clock())).map((row) => ({
      session_id: row.id, principal: row.principal, created_at: toInstant(row.created_at), last_used_at: toInstant(row.last_used_at),
      expires_at: toInstant(row.expires_at), current: row.id === admission.identity.sessionId,
    })),
    next_cursor: null,
  })),

  route({
    method: 'DELETE', path: '/auth/sessions/:id', action: 'login_session.end', parameters: z.strictObject({ id: Ulid }),
    resource: ({ id }) => ({ kind: 'object', type: 'login_session', id }), summary: 'End a session, its tokens and its streams',
  }, async ({ app, admission, parameters, requestId }) => {
    await app.audit.reduce((tx) => endSession(tx, parameters.id, app.clock()), changeEntry(admission, `session:${parameters.id}`, requestId));
    await app.gatekeeper.epochs.refresh();
  }),
];

const cookie = (app: App, value: string, maxAge: number): string =>
  `${sessionCookie(app.secure)}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${app.secure ? '; Secure' : ''}`;
