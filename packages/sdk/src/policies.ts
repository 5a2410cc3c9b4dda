/** Who may use the caller's holdings. */
import { page } from '@weir/contracts/identity';
import { Policy, PolicyBulkReply, PolicyChange, PolicyState, type PolicyBulk } from '@weir/contracts/policies';
import type { input } from 'zod';
import { call, command, path, type CallOptions, type Client, type ListOptions } from './client.ts';
import { RemoteError } from './remote-error.ts';

const Changes = page(PolicyChange);

/** The policy, or null when none is set: then only the owner may use the content. */
export async function get(client: Client, cid: string, options: CallOptions = {}): Promise<Policy | null> {
  try {
    return await call(client, { path: path`/api/v1/policies/${cid}`, reply: Policy, ...options });
  } catch (error) {
    if (error instanceof RemoteError && error.status === 404) return null;
    throw error;
  }
}

/** `version`: the one that the caller has seen; if there is another by now, `request.conflict` (409) and no change. */
type ChangeOptions = CallOptions & Readonly<{ version?: number | undefined }>;
const condition = ({ version, ...options }: ChangeOptions) => ({ ...options, ...(version === undefined ? {} : { headers: { 'if-match': `"${version}"` } }) });

export const set = (client: Client, cid: string, policy: input<typeof Policy>, options: ChangeOptions = {}) =>
  call(client, { method: 'PUT', path: path`/api/v1/policies/${cid}`, json: policy, reply: Policy, ...condition(options) });

/** Leaves the content to its owner again. */
export const clear = (client: Client, cid: string, options: ChangeOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/api/v1/policies/${cid}`, ...condition(options) });

/** All of them get the policy, or none and the error says which are refused. */
export const setAll = (client: Client, request: input<typeof PolicyBulk>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/policies/bulk', json: request, reply: PolicyBulkReply, ...options });

/** Changes, newest first. The version of the first is the policy's present one; it is 0 before the first change. */
export const history = (client: Client, cid: string, { cursor, limit, signal }: ListOptions = {}) =>
  call(client, { path: path`/api/v1/policies/${cid}/history`, query: { cursor, limit }, reply: Changes, signal });

/** Back to what the policy was after the change `to`; 0 is what it began with. */
export const revert = (client: Client, cid: string, to: number, options: ChangeOptions = {}) =>
  call(client, { method: 'POST', path: path`/api/v1/policies/${cid}/revert`, json: { version: to }, reply: PolicyState, ...condition(options) });
