/** The record of who did what. */
import { AuditEvent } from '@weir/contracts/audit';
import { page } from '@weir/contracts/identity';
import { call, type Client, type ListOptions } from './client.ts';

const Events = page(AuditEvent);

export const list = (client: Client, { cursor, limit, signal }: ListOptions = {}) =>
  call(client, { path: '/api/v1/audit', query: { cursor, limit }, reply: Events, signal });
