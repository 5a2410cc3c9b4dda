/** Links: signed, narrow, expiring rights to one content. */
import { page } from '@weir/contracts/identity';
import { Grant, GrantReply, GrantsRevoked, type GrantNarrowing, type GrantRequest, type GrantState } from '@weir/contracts/policies';
import type { input } from 'zod';
import { call, command, path, type CallOptions, type Client, type ListOptions } from './client.ts';

const Grants = page(Grant);

export const create = (client: Client, request: input<typeof GrantRequest>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/grants', json: request, reply: GrantReply, ...options });

/** A narrower one of the grant whose token is given; needs no account, and ends when that one does. */
export const narrow = (client: Client, request: input<typeof GrantNarrowing>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/grants/narrow', json: request, reply: GrantReply, ...options });

/** `owner`: whose links, the caller's own when it is left out; of another for who may see all objects. */
export type GrantFilter = Readonly<{ owner?: string | undefined; cid?: string | undefined; state?: GrantState | undefined; parent?: string | undefined; principal?: string | undefined }>;

export const list = (client: Client, { owner, cid, state, parent, principal, cursor, limit, signal }: ListOptions & GrantFilter = {}) =>
  call(client, { path: '/api/v1/grants', query: { owner, cid, state, parent, principal, cursor, limit }, reply: Grants, signal });

/** What runs under the grant, and under those that were narrowed from it, stops within a second. */
export const revoke = (client: Client, grantId: string, options: CallOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/api/v1/grants/${grantId}`, ...options });

/** Every grant to one content, or without `cid` every grant that the caller, or `owner`, gave. */
export const revokeAll = (client: Client, { owner, cid, signal }: CallOptions & Readonly<{ owner?: string | undefined; cid?: string | undefined }> = {}) =>
  call(client, { method: 'DELETE', path: '/api/v1/grants', query: cid === undefined ? { all: 1, owner } : { cid, owner }, reply: GrantsRevoked, signal });
