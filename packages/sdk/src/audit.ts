/** The record of who did what. */
import { AuditEvent, AuditVerification, type AuditSearch } from '@weir/contracts/audit';
import { page } from '@weir/contracts/identity';
import { address, call, fetchChecked, type CallOptions, type Client } from './client.ts';

const Events = page(AuditEvent);

/** Newest first. `action`, `object` and `address` may end in `*`. A page may be short, even empty, and still have a cursor. */
export const list = (client: Client, { signal, ...search }: CallOptions & Partial<AuditSearch> = {}) =>
  call(client, { path: '/api/v1/audit', query: search, reply: Events, signal });

/** Walks every chain and names the first event that is wrong. */
export const verify = (client: Client, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/audit/verify', reply: AuditVerification, ...options });

/** The whole log as JSON Lines, as it arrives; it is whole only if its last line holds `end`. */
export async function exportLines(client: Client, { signal }: CallOptions = {}): Promise<ReadableStream<Uint8Array> | null> {
  return (await fetchChecked(client, address(client, '/api/v1/audit/export'), { ...(signal === undefined ? {} : { signal }) })).body;
}
