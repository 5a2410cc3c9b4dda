/** Who may use the caller's holdings. */
import { Policy } from '@weir/contracts/policies';
import type { input } from 'zod';
import { call, path, type CallOptions, type Client } from './client.ts';
import { RemoteError } from './remote-error.ts';

/** The policy, or null when none is set: then only the owner may use the content. */
export async function get(client: Client, cid: string, options: CallOptions = {}): Promise<Policy | null> {
  try {
    return await call(client, { path: path`/api/v1/policies/${cid}`, reply: Policy, ...options });
  } catch (error) {
    if (error instanceof RemoteError && error.status === 404) return null;
    throw error;
  }
}

export const set = (client: Client, cid: string, policy: input<typeof Policy>, options: CallOptions = {}) =>
  call(client, { method: 'PUT', path: path`/api/v1/policies/${cid}`, json: policy, reply: Policy, ...options });
