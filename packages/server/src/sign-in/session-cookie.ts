/** Begins a session in the browser that a request came from. */
import type { IncomingMessage } from 'node:http';
import { toInstant, type LoginReply, type SignInMethod } from '@weir/contracts/identity';
import type { Tx } from '@weir/data/schema';
import { startSession, type StartedSession } from '@weir/data/security-stores/login-sessions';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { changeEntry } from '../audit-trail.ts';
import { sessionCookie } from '../evidence.ts';
import type { Reply } from '../reply.ts';
import type { Context } from '../route.ts';

type Coming = Readonly<{ app: App; admission: Context<unknown, unknown, unknown>['admission']; requestId: string; incoming: IncomingMessage }>;

const lifeMs = (app: App): number => app.config.streaming_security.session_expiry_seconds * 1_000;

/** A new session, never the one that the browser came with, which ends. Undefined for a principal that is absent or disabled. */
export async function beginSession(
  tx: Tx, { app, admission, requestId, incoming }: Coming, who: Readonly<{ principal: string; method: SignInMethod; provedAtMs: number; detail: string }>,
): Promise<StartedSession | undefined> {
  const { detail, ...rest } = who;
  const started = await startSession(tx, {
    ...rest, now: app.clock(), lifeMs: lifeMs(app), agent: incoming.headers['user-agent'] ?? '', replaces: admission.identity.sessionId,
  });
  if (started !== undefined) await app.audit.record(tx, { ...changeEntry(admission, `session:${started.id}`, requestId, detail), principal: started.principal });
  return started;
}

/** Hands the session to the browser. */
export function giveSession(app: App, reply: Reply, session: StartedSession): z.input<typeof LoginReply> {
  reply.cookie(cookieText(app, sessionCookie(app.secure), session.cookie, { maxAgeSeconds: Math.floor(lifeMs(app) / 1_000), sameSite: 'Strict' }));
  return { principal: session.principal, role: session.role, expires_at: toInstant(session.expiresAtMs) };
}

export function takeSession(app: App, reply: Reply): void {
  reply.cookie(cookieText(app, sessionCookie(app.secure), '', { maxAgeSeconds: 0, sameSite: 'Strict' }));
}

/** `Path=/` without a domain, as the `__Host-` prefix asks for under TLS (RFC 6265bis §4.1.3.2). */
export const cookieText = (app: App, name: string, value: string, { maxAgeSeconds, sameSite }: { maxAgeSeconds: number; sameSite: 'Strict' | 'Lax' }): string =>
  `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=${sameSite}${app.secure ? '; Secure' : ''}`;
