/** The machines that run jobs. For operators. */
import { page } from '@weir/contracts/identity';
import { Invite, Worker } from '@weir/contracts/workers';
import { call, type CallOptions, type Client, type ListOptions } from './client.ts';

const Workers = page(Worker);

export const list = (client: Client, { cursor, limit, signal }: ListOptions = {}) =>
  call(client, { path: '/api/v1/workers', query: { cursor, limit }, reply: Workers, signal });

/** A link with which one machine may join, once, within ten minutes. */
export const invite = (client: Client, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/workers/invites', reply: Invite, ...options });
