/** Links: signed, narrow, expiring rights to one content. */
import { page } from '@weir/contracts/identity';
import { Grant, GrantReply, type GrantRequest } from '@weir/contracts/policies';
import type { input } from 'zod';
import { call, command, path, type CallOptions, type Client, type ListOptions } from './client.ts';

const Grants = page(Grant);

export const create = (client: Client, request: input<typeof GrantRequest>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/grants', json: request, reply: GrantReply, ...options });

export const list = (client: Client, { cid, cursor, limit, signal }: ListOptions & Readonly<{ cid?: string | undefined }> = {}) =>
  call(client, { path: '/api/v1/grants', query: { cid, cursor, limit }, reply: Grants, signal });

/** What runs under the grant stops within a second. */
export const revoke = (client: Client, grantId: string, options: CallOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/api/v1/grants/${grantId}`, ...options });
