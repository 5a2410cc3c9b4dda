/** Signing in and out, sessions, and what the caller may do. */
import { LoginReply, LoginSession, Permissions, page } from '@weir/contracts/identity';
import { AssertionOptions, SignInMethods, type Assertion, type StepUp } from '@weir/contracts/sign-in';
import type { input } from 'zod';
import { call, command, path, type CallOptions, type Client } from './client.ts';

const Sessions = page(LoginSession);

/** How one can sign in here besides by a link. */
export const methods = (client: Client, options: CallOptions = {}) => call(client, { path: '/auth/methods', reply: SignInMethods, ...options });

/** Spends a one-time sign-in secret; the server sets the session's cookie beside the reply. */
export const login = (client: Client, secret: string, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/auth/login', json: { secret }, reply: LoginReply, ...options });

/** What to ask an authenticator for, so that whoever has a passkey for this host can sign in with it. */
export const passkeyChallenge = (client: Client, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/auth/passkey/challenge', reply: AssertionOptions, ...options });

export const loginWithPasskey = (client: Client, assertion: input<typeof Assertion>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/auth/passkey', json: assertion, reply: LoginReply, ...options });

export const logout = (client: Client, options: CallOptions = {}) =>
  command(client, { method: 'POST', path: '/auth/logout', ...options });

/** Ends all sessions and tokens of the caller, this one too. */
export const logoutEverywhere = (client: Client, options: CallOptions = {}) =>
  command(client, { method: 'POST', path: '/auth/logout-everywhere', ...options });

/** One's own; those of another `owner` for who may see all objects. */
export const sessions = (client: Client, { owner, signal }: CallOptions & Readonly<{ owner?: string | undefined }> = {}) =>
  call(client, { path: '/auth/sessions', query: { owner }, reply: Sessions, signal });

export const endSession = (client: Client, sessionId: string, options: CallOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/auth/sessions/${sessionId}`, ...options });

/** Ends all sessions of the caller but the one that asks. */
export const endOtherSessions = (client: Client, options: CallOptions = {}) =>
  command(client, { method: 'POST', path: '/auth/sessions/end-others', ...options });

/** What to ask an authenticator for, to prove again who uses this session. */
export const stepUpChallenge = (client: Client, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/auth/step-up/challenge', reply: AssertionOptions, ...options });

/** Proves it, for ten minutes. Error `step_up.required`: that was no proof. */
export const stepUp = (client: Client, proof: input<typeof StepUp>, options: CallOptions = {}) =>
  command(client, { method: 'POST', path: '/auth/step-up', json: proof, ...options });

/** The caller's own role and permissions; `principal` is null for one who is not signed in. */
export const permissions = (client: Client, options: CallOptions = {}) =>
  call(client, { path: '/api/v1/permissions', reply: Permissions, ...options });
