/**
 * Identities of other issuers and the principals that they are; how long a replaced signing key still verifies; and what tokens carry, so
 * that they can be listed and what they open can be looked up.
 */
import type { ColumnTypes, Statements } from './column-types.ts';

export const externalIdentities: Statements = ({ text, integer, strict }: ColumnTypes) => [
  `create table external_identity (
    issuer ${text} not null,
    subject ${text} not null,
    principal ${text} not null references principal (id) on delete cascade,
    created_at ${integer} not null,
    role_as_of ${integer},
    primary key (issuer, subject)
  ) ${strict}`,
  'create index external_identity_principal on external_identity (principal)',
  `alter table signing_key add column verifies_until ${integer}`,
  `alter table token add column session ${text}`,
  `alter table token add column role ${text}`,
  `alter table token add column permissions ${text}`,
  `alter table token add column holdings ${text}`,
];
