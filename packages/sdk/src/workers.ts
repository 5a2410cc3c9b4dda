/** The machines that run jobs. For operators. */
import { page } from '@weir/contracts/identity';
import { Worker } from '@weir/contracts/workers';
import { call, type Client, type ListOptions } from './client.ts';

const Workers = page(Worker);

export const list = (client: Client, { cursor, limit, signal }: ListOptions = {}) =>
  call(client, { path: '/api/v1/workers', query: { cursor, limit }, reply: Workers, signal });
