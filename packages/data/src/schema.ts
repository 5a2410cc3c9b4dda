/**
 * The one schema, for SQLite and PostgreSQL alike. Instants are milliseconds since 1970 (UTC), flags 0 or 1, lists and records
 * JSON text, ids ULIDs, principals their names. What must not be read by a thief is sealed under the key ring before it gets here.
 */
import type { Kysely, Transaction } from 'kysely';

export interface Schema {
  /** `instance_id`, `clock_high_water`, and the like. */
  meta: { key: string; value: string };
  /** `epoch`: the sequence that every change of a right takes a number from. */
  counter: { name: string; value: number };
  /** The last time the rights of a subject moved: `principal:alice`, `role:user`, `holding:…`, `grant:…`, `session:…`, `token:…`. */
  epoch: { subject: string; sequence: number };

  /** Signatures that were accepted, until they are too old for anyone; `began`: from when on none is missing. Empty after a crash, and on SQLite. */
  replay_key: { key: string; valid_until: number };
  /** When the allowance of a key is whole again, in microseconds since 1970 by the database's clock. Empty after a crash, and on SQLite. */
  rate_limit: { name: string; key: string; full_at: number };

  principal: {
    id: string; kind: string; role: string; permissions: string; networks: string; disabled: number;
    /** Tokens issued before this instant are refused: "end everything". */
    tokens_valid_from: number; max_skew_seconds: number | null; created_at: number;
  };
  /** `secret` is the sealed HMAC key, `public_key` a raw Ed25519 key in base64url; one of them is set. */
  principal_key: {
    id: string; principal: string; algorithm: 'hmac-sha256' | 'ed25519'; secret: Uint8Array | null; public_key: string | null;
    created_at: number; expires_at: number | null;
  };
  /** Who a subject of another issuer is here. `role_as_of`: the principal's role follows that issuer's tokens, last one issued then (ms); null where it does not. */
  external_identity: { issuer: string; subject: string; principal: string; created_at: number; role_as_of: number | null };
  /** Keys that sign tokens and checkpoints; `secret` is sealed. A retired one verifies until `verifies_until`. */
  signing_key: {
    id: string; purpose: string; algorithm: string; secret: Uint8Array; public_key: string; created_at: number; retired_at: number | null; verifies_until: number | null;
  };
  /** One-time secrets, hashed: sign-in links and worker invitations (`purpose`), and tickets. */
  one_time_secret: { hash: string; purpose: string; subject: string; facts: string; expires_at: number; used_at: number | null };
  login_session: {
    id: string; secret_hash: string; principal: string; created_at: number; last_used_at: number; expires_at: number; ended_at: number | null;
    /** When whoever uses it last proved who they are, how it began, and what the browser called itself then. */
    stepped_up_at: number; method: string; agent: string;
  };
  /** `credential` is the id that the authenticator gave (base64url), `public_key` a COSE key, `rp_id` the host that it works for. */
  passkey: {
    id: string; credential: string; principal: string; public_key: Uint8Array; counter: number; rp_id: string; transports: string; name: string;
    created_at: number; last_used_at: number | null;
  };
  /** `role`, `permissions` (JSON) and `session` as the token says them; `holdings` (JSON): holdings of the issuer that it opens beside. */
  token: {
    jti: string; principal: string; issuer: string; issued_at: number; expires_at: number; revoked_at: number | null;
    session: string | null; role: string | null; permissions: string | null; holdings: string | null;
  };

  /** Wraps the data keys of what a user owns; `secret` is sealed. */
  user_key: { id: string; principal: string; secret: Uint8Array; created_at: number };

  /** (owner, content): made only by receiving all the bytes. `digest` is the hex SHA-256 of the root's multihash. */
  holding: {
    id: string; owner: string; digest: string; cid: string; size: number; content_type: string; title: string; blob: string;
    /** Sealed data key; null when the blob is stored plain. */
    data_key: Uint8Array | null;
    /** SHA-256 of each MiB, concatenated; sealed with the data key when there is one. */
    leaf_digests: Uint8Array;
    /** The user key that wraps the data key under the key ring; null where only the key ring does. */
    user_key: string | null;
    /** JSON of the policy; null means the owner only. */
    policy: string | null;
    /** JSON list of { owner, policy }: what the inputs of a job allowed, when its submitter did not manage them; each must admit too. */
    ceilings: string;
    /** The job that made it, if one did. */
    origin: string | null;
    created_at: number; deleted_at: number | null;
  };
  /** The history of a holding's policy. The greatest version is the current one; a holding without a row is at version 0. */
  policy_change: { holding: string; version: number; at: number; principal: string; policy_before: string | null; policy_after: string | null };
  grant: {
    id: string; issuer: string; holding: string; cid: string; verbs: string; principal: string | null; networks: string; parent: string | null;
    uses_left: number | null; valid_from: number; expires_at: number; revoked_at: number | null; created_at: number;
  };

  job: {
    id: string; owner: string; state: string; recipe: string | null; class: string;
    /** JSON of the vetted specification: argument list or recipe with parameters, inputs by holding, outputs by name. */
    specification: string; labels: string; priority: number; attempt: number; max_attempts: number;
    worker: string | null; fence: number; lease_until: number | null; excluded_workers: string; not_before: number; cancel_requested: number;
    progress: string; outputs: string; error: string | null; created_at: number; started_at: number | null; finished_at: number | null; progress_at: number | null;
    idempotency_key: string | null; request_digest: string | null;
  };
  /** What an attempt delivered, invisible until the job publishes it. */
  job_output: { job: string; fence: number; name: string; holding_facts: string; received_at: number };
  worker: {
    id: string; capabilities: string; slots: number; labels: string; connected: number; draining: number; quarantined: number; failures_in_row: string;
    last_seen_at: number; created_at: number;
  };

  audit_event: {
    id: string; writer: string; sequence: number; at: number; class: string; principal: string; address: string; action: string; object: string;
    decision: string; reason: string; count: number; request_id: string; previous_hash: string; hash: string;
  };
  audit_checkpoint: { id: string; writer: string; sequence: number; hash: string; at: number; key_id: string; signature: string };
  /** The head of each writer's chain, and the sequence of the last checkpoint; the next event follows it, also when all before are removed. */
  audit_chain: { writer: string; sequence: number; hash: string; signed_sequence: number };
  /** Up to where events were removed on purpose, signed. */
  audit_cut: { writer: string; sequence: number; hash: string; at: number; key_id: string; signature: string };
  /** How far who reads a chain has come: `export`, and each webhook by its name. */
  audit_reader: { name: string; writer: string; sequence: number; at: number };
  /** `owner` is the node that delivers now, until `lease_until`; `dead_at` is set when it is no longer tried. */
  audit_webhook: {
    name: string; owner: string; lease_until: number; failures: number; failing_since: number | null; dead_at: number | null; last_error: string;
    delivered_at: number | null;
  };
}

export type Database = Kysely<Schema>;
export type Tx = Transaction<Schema>;
