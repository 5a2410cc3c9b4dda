/** Signing in and out, and what the caller may do. */
import { LoginReply, LoginSession, Permissions, page } from '@weir/contracts/identity';
import { call, command, path, type CallOptions, type Client, type ListOptions } from './client.ts';

const Sessions = page(LoginSession);

/** Spends a one-time sign-in secret; the server sets the session's cookie beside the reply. */
export const login = (client: Client, secret: string, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/auth/login', json: { secret }, reply: LoginReply, ...options });

export const logout = (client: Client, options: CallOptions = {}) =>
  command(client, { method: 'POST', path: '/auth/logout', ...options });

export const sessions = (client: Client, { cursor, limit, signal }: ListOptions = {}) =>
  call(client, { path: '/auth/sessions', query: { cursor, limit }, reply: Sessions, signal });

export const endSession = (client: Client, sessionId: string, options: CallOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/auth/sessions/${sessionId}`, ...options });

/** The caller's own role and permissions; `principal` is null for one who is not signed in. */
export const permissions = (client: Client, options: CallOptions = {}) =>
  call(client, { path: '/api/v1/permissions', reply: Permissions, ...options });
