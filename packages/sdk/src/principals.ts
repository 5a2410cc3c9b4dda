/** Who may sign in or sign requests: users, clients, workers, services. For those who manage users. */
import { Principal, PrincipalCreated, page, type PrincipalChange, type PrincipalCreate } from '@weir/contracts/identity';
import type { input } from 'zod';
import { call, path, type CallOptions, type Client, type ListOptions } from './client.ts';

const Principals = page(Principal);

export const list = (client: Client, { cursor, limit, signal }: ListOptions = {}) =>
  call(client, { path: '/api/v1/principals', query: { cursor, limit }, reply: Principals, signal });

/** The reply holds the new principal's key, which is never shown again. */
export const create = (client: Client, request: input<typeof PrincipalCreate>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/principals', json: request, reply: PrincipalCreated, ...options });

export const change = (client: Client, name: string, request: input<typeof PrincipalChange>, options: CallOptions = {}) =>
  call(client, { method: 'PATCH', path: path`/api/v1/principals/${name}`, json: request, reply: Principal, ...options });
