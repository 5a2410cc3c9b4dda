/** What the caller is linked to at other providers. */
import { page } from '@weir/contracts/identity';
import { LinkedIdentity, Onward } from '@weir/contracts/sign-in';
import { call, command, path, type CallOptions, type Client } from './client.ts';

const Identities = page(LinkedIdentity);

export const list = (client: Client, options: CallOptions = {}) => call(client, { path: '/auth/identities', reply: Identities, ...options });

/** Where the browser goes to link what the caller is at a provider; it comes back to `/account`. */
export const link = (client: Client, provider: string, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: path`/auth/oidc/${provider}/link`, reply: Onward, ...options });

/** Where the browser goes to prove at a provider who uses this session; it comes back to `/stepped-up`. */
export const stepUp = (client: Client, provider: string, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: path`/auth/oidc/${provider}/step-up`, reply: Onward, ...options });

/** Error `sign_in.last_way` unless `last` says that the last way to sign in may go. */
export const unlink = (client: Client, { issuer, subject }: Pick<LinkedIdentity, 'issuer' | 'subject'>, { last, ...options }: CallOptions & Readonly<{ last?: boolean }> = {}) =>
  command(client, { method: 'DELETE', path: '/auth/identities', query: { issuer, subject, last: last === true ? 'true' : undefined }, ...options });
