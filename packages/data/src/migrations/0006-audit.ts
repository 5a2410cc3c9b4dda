/** The audit in full: the head of every chain, signed cuts, indexes to search by, how far exports and webhooks have come. */
import type { ColumnTypes, Statements } from './column-types.ts';

export const audit: Statements = ({ text, integer, strict }: ColumnTypes) => [
  `create table audit_chain (
    writer ${text} primary key,
    sequence ${integer} not null,
    hash ${text} not null,
    signed_sequence ${integer} not null
  ) ${strict}`,
  `insert into audit_chain (writer, sequence, hash, signed_sequence)
    select e.writer, e.sequence, e.hash, coalesce((select max(c.sequence) from audit_checkpoint c where c.writer = e.writer), 0)
    from audit_event e where e.sequence = (select max(l.sequence) from audit_event l where l.writer = e.writer)`,
  `create table audit_cut (
    writer ${text} not null,
    sequence ${integer} not null,
    hash ${text} not null,
    at ${integer} not null,
    key_id ${text} not null,
    signature ${text} not null,
    primary key (writer, sequence)
  ) ${strict}`,
  `create table audit_reader (
    name ${text} not null,
    writer ${text} not null,
    sequence ${integer} not null,
    at ${integer} not null,
    primary key (name, writer)
  ) ${strict}`,
  `create table audit_webhook (
    name ${text} primary key,
    owner ${text} not null,
    lease_until ${integer} not null,
    failures ${integer} not null,
    failing_since ${integer},
    dead_at ${integer},
    last_error ${text} not null,
    delivered_at ${integer}
  ) ${strict}`,
  'drop index audit_event_at',
  'create index audit_event_at on audit_event (at, id)',
  'create index audit_event_principal on audit_event (principal, at, id)',
  'create index audit_event_action on audit_event (action, at, id)',
  'create index audit_event_object on audit_event (object, at, id)',
  // What the specification names, for who looks with SQL.
  `create view audit_events as
    select id, at, principal, address, action, object, decision, reason, request_id, previous_hash, hash from audit_event`,
];
