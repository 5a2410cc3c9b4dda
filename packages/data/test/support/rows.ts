/** A plausible row of every table, to be varied by tests. */
import type { Schema } from '../../src/schema.ts';

const at = 1_790_000_000_000;
const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

export const rows: Schema = {
  meta: { key: 'instance_id', value: '01J' },
  counter: { name: 'other', value: Number.MAX_SAFE_INTEGER },
  epoch: { subject: 'principal:alice', sequence: 1 },
  replay_key: { key: 'k', valid_until: at },
  rate_limit: { name: 'default', key: 'alice', full_at: at * 1_000 },
  principal: {
    id: 'alice', kind: 'user', role: 'user', permissions: '[]', networks: '[]', disabled: 0, tokens_valid_from: 0, max_skew_seconds: null, created_at: at,
  },
  principal_key: {
    id: 'key', principal: 'alice', algorithm: 'hmac-sha256', secret: bytes, public_key: null, created_at: at, expires_at: null,
  },
  signing_key: { id: 'key', purpose: 'token', algorithm: 'EdDSA', secret: bytes, public_key: 'x', created_at: at, retired_at: null, verifies_until: 1 },
  one_time_secret: { hash: 'h', purpose: 'login', subject: 'alice', facts: '{}', expires_at: at, used_at: null },
  login_session: { id: 's', secret_hash: 'h', principal: 'alice', created_at: at, last_used_at: at, expires_at: at, ended_at: null, stepped_up_at: at, method: 'link', agent: 'Browser' },
  passkey: {
    id: 'k', credential: 'c', principal: 'alice', public_key: bytes, counter: 4_294_967_295, rp_id: 'localhost', transports: '[]', name: 'Phone', created_at: at, last_used_at: at,
  },
  token: { jti: 't', principal: 'alice', issuer: 'root', issued_at: at, expires_at: at, revoked_at: null, session: 's', role: 'user', permissions: '[]', holdings: '[]' },
  external_identity: { issuer: 'https://idp.example', subject: 'u1', principal: 'alice', created_at: at, role_as_of: 1 },
  user_key: { id: 'u', principal: 'alice', secret: bytes, created_at: at },
  holding: {
    id: 'h1', owner: 'alice', digest: 'd', cid: 'bafk', size: 5, content_type: 'video/mp4', title: 'Ü 🎬', blob: 'b', data_key: null, user_key: null, leaf_digests: new Uint8Array(0),
    policy: null, ceilings: '[]', origin: null, created_at: at, deleted_at: null,
  },
  policy_change: { holding: 'h1', version: 1, at, principal: 'alice', policy_before: null, policy_after: '{"level":"public"}' },
  grant: {
    id: 'g', issuer: 'alice', holding: 'h1', cid: 'bafk', verbs: '["read"]', principal: null, networks: '[]', parent: null, uses_left: 1, valid_from: at,
    expires_at: at, revoked_at: null, created_at: at,
  },
  job: {
    id: 'j', owner: 'alice', state: 'queued', recipe: null, class: 'cpu', specification: '{}', labels: '{}', priority: 50, attempt: 0, max_attempts: 3,
    worker: null, fence: 0, lease_until: null, excluded_workers: '[]', not_before: 0, cancel_requested: 0, progress: '{}', outputs: '[]', error: null,
    created_at: at, started_at: null, finished_at: null, progress_at: null, idempotency_key: null, request_digest: null,
  },
  job_output: { job: 'j', fence: 1, name: 'small.mp4', holding_facts: '{}', received_at: at },
  worker: {
    id: 'w', capabilities: '{}', slots: 1, labels: '{}', connected: 1, draining: 0, quarantined: 0, failures_in_row: '{}', last_seen_at: at, created_at: at,
  },
  audit_event: {
    id: 'e', writer: 'n1', sequence: 1, at, class: 'A', principal: 'alice', address: '::1', action: 'policy.write', object: 'holding:h1',
    decision: 'allowed', reason: '', count: 1, request_id: 'r', previous_hash: '', hash: 'x',
  },
  audit_checkpoint: { id: 'c', writer: 'n1', sequence: 1, hash: 'x', at, key_id: 'key', signature: 's' },
  audit_chain: { writer: 'n1', sequence: 1, hash: 'x', signed_sequence: 1 },
  audit_cut: { writer: 'n1', sequence: 1, hash: 'x', at, key_id: 'key', signature: 's' },
  audit_reader: { name: 'export', writer: 'n1', sequence: 1, at },
  audit_webhook: { name: 'h', owner: 'n1', lease_until: at, failures: 0, failing_since: null, dead_at: null, last_error: '', delivered_at: at },
};
