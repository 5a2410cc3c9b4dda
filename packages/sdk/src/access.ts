/** Why somebody may or may not do something, what a principal or role can do, who may read a content; the roles. */
import { Ability, Explanation, Readers, Role, SeenAddress, type AbilitiesQuery, type ExplainRequest } from '@weir/contracts/access';
import { page } from '@weir/contracts/identity';
import type { input } from 'zod';
import { call, path, type CallOptions, type Client } from './client.ts';

const Abilities = page(Ability);
const Roles = page(Role);

/** About content of the caller's own; for who manages users, about anything. */
export const explain = (client: Client, request: input<typeof ExplainRequest>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/access/explain', json: request, reply: Explanation, ...options });

export const abilities = (client: Client, { principal, role }: input<typeof AbilitiesQuery>, options: CallOptions = {}) =>
  call(client, { path: '/api/v1/access/actions', query: { principal, role }, reply: Abilities, ...options });

/** Of a holding of the caller, or of `owner` for who reaches everybody's objects. */
export const readers = (client: Client, cid: string, { owner, signal }: CallOptions & Readonly<{ owner?: string | undefined }> = {}) =>
  call(client, { path: path`/api/v1/policies/${cid}/readers`, query: { owner }, reply: Readers, signal });

export const roles = (client: Client, options: CallOptions = {}) => call(client, { path: '/api/v1/roles', reply: Roles, ...options });

/** Where the server sees this client come from. */
export const seenAddress = (client: Client, options: CallOptions = {}) => call(client, { path: '/api/v1/access/address', reply: SeenAddress, ...options });
