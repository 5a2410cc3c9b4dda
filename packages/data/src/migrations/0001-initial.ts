/** The first schema. Its meaning is told in `schema.ts`; here are its types, keys, states and indexes. */
import type { ColumnTypes, Statements } from './column-types.ts';

export const initial: Statements = ({ text, integer, bytes, strict }: ColumnTypes) => {
  const flag = (name: string): string => `${name} ${integer} not null check (${name} in (0, 1))`;
  const oneOf = (name: string, values: readonly string[]): string =>
    `${name} ${text} not null check (${name} in (${values.map((value) => `'${value}'`).join(', ')}))`;

  return [
    `create table meta (key ${text} primary key, value ${text} not null) ${strict}`,
    `create table counter (name ${text} primary key, value ${integer} not null) ${strict}`,
    `insert into counter (name, value) values ('epoch', 0)`,
    `create table epoch (subject ${text} primary key, sequence ${integer} not null) ${strict}`,
    'create index epoch_sequence on epoch (sequence, subject)',

    `create table principal (
      id ${text} primary key,
      ${oneOf('kind', ['user', 'client', 'worker', 'service', 'anonymous'])},
      role ${text} not null,
      permissions ${text} not null,
      networks ${text} not null,
      ${flag('disabled')},
      tokens_valid_from ${integer} not null,
      max_skew_seconds ${integer},
      created_at ${integer} not null
    ) ${strict}`,
    `create table principal_key (
      id ${text} primary key,
      principal ${text} not null references principal (id) on delete cascade,
      ${oneOf('algorithm', ['hmac-sha256', 'ed25519'])},
      secret ${bytes},
      public_key ${text},
      created_at ${integer} not null,
      expires_at ${integer},
      check ((secret is null) <> (public_key is null))
    ) ${strict}`,
    'create index principal_key_principal on principal_key (principal)',
    `create table signing_key (
      id ${text} primary key,
      purpose ${text} not null,
      algorithm ${text} not null,
      secret ${bytes} not null,
      public_key ${text} not null,
      created_at ${integer} not null,
      retired_at ${integer}
    ) ${strict}`,
    `create table one_time_secret (
      hash ${text} primary key,
      purpose ${text} not null,
      subject ${text} not null,
      facts ${text} not null,
      expires_at ${integer} not null,
      used_at ${integer}
    ) ${strict}`,
    'create index one_time_secret_expiry on one_time_secret (expires_at)',
    `create table login_session (
      id ${text} primary key,
      secret_hash ${text} not null unique,
      principal ${text} not null,
      created_at ${integer} not null,
      last_used_at ${integer} not null,
      expires_at ${integer} not null,
      ended_at ${integer}
    ) ${strict}`,
    'create index login_session_principal on login_session (principal)',
    `create table token (
      jti ${text} primary key,
      principal ${text} not null,
      issuer ${text} not null,
      issued_at ${integer} not null,
      expires_at ${integer} not null,
      revoked_at ${integer}
    ) ${strict}`,
    'create index token_principal on token (principal)',

    `create table holding (
      id ${text} primary key,
      owner ${text} not null,
      digest ${text} not null,
      cid ${text} not null,
      size ${integer} not null check (size >= 0),
      content_type ${text} not null,
      title ${text} not null,
      blob ${text} not null,
      data_key ${bytes},
      leaf_digests ${bytes} not null,
      policy ${text},
      ceilings ${text} not null,
      origin ${text},
      created_at ${integer} not null,
      deleted_at ${integer}
    ) ${strict}`,
    'create unique index holding_owner_digest on holding (owner, digest) where deleted_at is null',
    'create index holding_digest on holding (digest) where deleted_at is null',
    'create index holding_owner on holding (owner, id)',
    'create index holding_deleted on holding (deleted_at) where deleted_at is not null',
    `create table "grant" (
      id ${text} primary key,
      issuer ${text} not null,
      holding ${text} not null,
      cid ${text} not null,
      verbs ${text} not null,
      principal ${text},
      networks ${text} not null,
      parent ${text},
      uses_left ${integer} check (uses_left >= 0),
      valid_from ${integer} not null,
      expires_at ${integer} not null,
      revoked_at ${integer},
      created_at ${integer} not null
    ) ${strict}`,
    'create index grant_holding on "grant" (holding)',
    'create index grant_issuer on "grant" (issuer, id)',
    'create index grant_parent on "grant" (parent) where parent is not null',

    `create table job (
      id ${text} primary key,
      owner ${text} not null,
      ${oneOf('state', ['queued', 'assigned', 'running', 'verifying', 'canceling', 'completed', 'failed', 'canceled'])},
      recipe ${text},
      class ${text} not null,
      specification ${text} not null,
      labels ${text} not null,
      priority ${integer} not null check (priority between 0 and 100),
      attempt ${integer} not null check (attempt >= 0),
      max_attempts ${integer} not null check (max_attempts >= 1),
      worker ${text},
      fence ${integer} not null,
      lease_until ${integer},
      excluded_workers ${text} not null,
      not_before ${integer} not null,
      ${flag('cancel_requested')},
      progress ${text} not null,
      outputs ${text} not null,
      error ${text},
      created_at ${integer} not null,
      started_at ${integer},
      finished_at ${integer},
      progress_at ${integer},
      idempotency_key ${text},
      request_digest ${text},
      check ((idempotency_key is null) = (request_digest is null))
    ) ${strict}`,
    `create index job_claim on job (priority desc, id) where state = 'queued'`,
    'create index job_lease on job (lease_until) where lease_until is not null',
    'create index job_worker on job (worker) where worker is not null',
    'create index job_owner on job (owner, id)',
    'create unique index job_idempotency on job (owner, idempotency_key) where idempotency_key is not null',
    `create table job_output (
      job ${text} not null references job (id) on delete cascade,
      fence ${integer} not null,
      name ${text} not null,
      holding_facts ${text} not null,
      received_at ${integer} not null,
      primary key (job, fence, name)
    ) ${strict}`,
    `create table worker (
      id ${text} primary key,
      capabilities ${text} not null,
      slots ${integer} not null check (slots >= 0),
      labels ${text} not null,
      ${flag('connected')},
      ${flag('draining')},
      ${flag('quarantined')},
      failures_in_row ${text} not null,
      last_seen_at ${integer} not null,
      created_at ${integer} not null
    ) ${strict}`,

    `create table audit_event (
      id ${text} primary key,
      writer ${text} not null,
      sequence ${integer} not null,
      at ${integer} not null,
      ${oneOf('class', ['A', 'B', 'C'])},
      principal ${text} not null,
      address ${text} not null,
      action ${text} not null,
      object ${text} not null,
      ${oneOf('decision', ['allowed', 'refused'])},
      reason ${text} not null,
      count ${integer} not null check (count >= 1),
      request_id ${text} not null,
      previous_hash ${text} not null,
      hash ${text} not null,
      unique (writer, sequence)
    ) ${strict}`,
    'create index audit_event_at on audit_event (at)',
    `create table audit_checkpoint (
      id ${text} primary key,
      writer ${text} not null,
      sequence ${integer} not null,
      hash ${text} not null,
      at ${integer} not null,
      key_id ${text} not null,
      signature ${text} not null
    ) ${strict}`,
    'create index audit_checkpoint_writer on audit_checkpoint (writer, sequence)',
  ];
};
