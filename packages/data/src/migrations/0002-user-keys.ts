/** A key of each user that wraps the data keys of what it owns, where content is kept so; destroying it erases all of that. */
import type { Statements } from './column-types.ts';

export const userKeys: Statements = ({ text, integer, bytes, strict }) => [
  `create table user_key (id ${text} primary key, principal ${text} not null unique, secret ${bytes} not null, created_at ${integer} not null) ${strict}`,
  `alter table holding add column user_key ${text}`,
  'create index holding_user_key on holding (user_key) where user_key is not null',
];
