/** The record of who did what. */
import { AuditEvent, AuditVerification } from '@weir/contracts/audit';
import { page } from '@weir/contracts/identity';
import { call, type CallOptions, type Client, type ListOptions } from './client.ts';

const Events = page(AuditEvent);

export const list = (client: Client, { cursor, limit, signal }: ListOptions = {}) =>
  call(client, { path: '/api/v1/audit', query: { cursor, limit }, reply: Events, signal });

/** Walks every chain and says where it first breaks. */
export const verify = (client: Client, options: CallOptions = {}) =>
  call(client, { path: '/api/v1/audit/verification', reply: AuditVerification, ...options });
