/** Passkeys of the caller. Adding and removing one asks for a fresh proof (`step_up.required`). */
import { page } from '@weir/contracts/identity';
import { CreationOptions, Passkey, type PasskeyCreate } from '@weir/contracts/sign-in';
import type { input } from 'zod';
import { call, command, path, type CallOptions, type Client } from './client.ts';

const Passkeys = page(Passkey);

export const list = (client: Client, options: CallOptions = {}) => call(client, { path: '/auth/passkeys', reply: Passkeys, ...options });

/** What to ask an authenticator for; `add` takes its answer. */
export const challenge = (client: Client, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/auth/passkeys/challenge', reply: CreationOptions, ...options });

export const add = (client: Client, made: input<typeof PasskeyCreate>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/auth/passkeys', json: made, reply: Passkey, ...options });

export const rename = (client: Client, passkeyId: string, name: string, options: CallOptions = {}) =>
  call(client, { method: 'PATCH', path: path`/auth/passkeys/${passkeyId}`, json: { name }, reply: Passkey, ...options });

/** Error `sign_in.last_way` unless `last` says that the last way to sign in may go. */
export const remove = (client: Client, passkeyId: string, { last, ...options }: CallOptions & Readonly<{ last?: boolean }> = {}) =>
  command(client, { method: 'DELETE', path: path`/auth/passkeys/${passkeyId}`, query: { last: last === true ? 'true' : undefined }, ...options });
