/** Who may sign in or sign requests: users, clients, workers, services. For those who manage users. */
import { ExternalIdentity, Principal, PrincipalCreated, PrincipalKey, page, type PrincipalChange, type ExternalSubject, type KeyReplacement, type PrincipalCreate } from '@weir/contracts/identity';
import { z, type input } from 'zod';
import { call, command, path, type CallOptions, type Client, type ListOptions } from './client.ts';

const Principals = page(Principal);
const Identities = z.object({ items: z.array(ExternalIdentity) });
const SignInLink = z.object({ link: z.string() });

/** By name. With `address` only those who may come from there; a page may then be short, even empty, and still have a cursor. */
export const list = (client: Client, { cursor, limit, address, signal }: ListOptions & Readonly<{ address?: string | undefined }> = {}) =>
  call(client, { path: '/api/v1/principals', query: { cursor, limit, address }, reply: Principals, signal });

export const show = (client: Client, name: string, options: CallOptions = {}) =>
  call(client, { path: path`/api/v1/principals/${name}`, reply: Principal, ...options });

/** The reply holds the new principal's key, which is never shown again. */
export const create = (client: Client, request: input<typeof PrincipalCreate>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/principals', json: request, reply: PrincipalCreated, ...options });

/** A new request-signing key; the old ones work until the overlap ends. */
export const rotateKey = (client: Client, name: string, request: input<typeof KeyReplacement> = {}, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: path`/api/v1/principals/${name}/key`, json: request, reply: PrincipalCreated, ...options });

/** The key that it signs requests with now. Asks for a fresh proof, as changes of keys do; the audit log tells that it was shown. */
export const showKey = (client: Client, name: string, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: path`/api/v1/principals/${name}/key/show`, reply: PrincipalKey, ...options });

/** What the principal holds stays; nobody can sign in or sign requests as it. */
export const remove = (client: Client, name: string, options: CallOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/api/v1/principals/${name}`, ...options });

/** A one-time link for ten minutes. */
export const signInLink = (client: Client, name: string, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: path`/api/v1/principals/${name}/sign-in-link`, reply: SignInLink, ...options });

/** Ends all tokens and sessions, and what runs under them. */
export const endEverything = (client: Client, name: string, options: CallOptions = {}) =>
  command(client, { method: 'POST', path: path`/api/v1/principals/${name}/end-everything`, ...options });

export const change = (client: Client, name: string, request: input<typeof PrincipalChange>, options: CallOptions = {}) =>
  call(client, { method: 'PATCH', path: path`/api/v1/principals/${name}`, json: request, reply: Principal, ...options });

/** Subjects of other issuers that are this principal. */
export const identities = (client: Client, name: string, options: CallOptions = {}) =>
  call(client, { path: path`/api/v1/principals/${name}/identities`, reply: Identities, ...options });

export const linkIdentity = (client: Client, name: string, identity: input<typeof ExternalSubject>, options: CallOptions = {}) =>
  command(client, { method: 'POST', path: path`/api/v1/principals/${name}/identities`, json: identity, ...options });

/** Tokens of that subject are refused within a second. */
export const unlinkIdentity = (client: Client, name: string, identity: input<typeof ExternalSubject>, options: CallOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/api/v1/principals/${name}/identities`, query: identity, ...options });
