/** Passkeys, and when a browser session last proved who uses it. */
import type { Statements } from './column-types.ts';

export const passkeys: Statements = ({ text, integer, bytes, strict }) => [
  `alter table login_session add column stepped_up_at ${integer} not null default 0`,
  `alter table login_session add column method ${text} not null default 'link'`,
  `alter table login_session add column agent ${text} not null default ''`,
  'create index one_time_secret_purpose on one_time_secret (purpose, expires_at)',
  `create table passkey (
    id ${text} primary key,
    credential ${text} not null unique,
    principal ${text} not null references principal (id) on delete cascade,
    public_key ${bytes} not null,
    counter ${integer} not null check (counter >= 0),
    rp_id ${text} not null,
    transports ${text} not null,
    name ${text} not null,
    created_at ${integer} not null,
    last_used_at ${integer}
  ) ${strict}`,
  'create index passkey_principal on passkey (principal, id)',
];
