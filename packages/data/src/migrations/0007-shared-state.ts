/** What the nodes of a cluster must know of each other at once and may forget in a crash: accepted signatures, and how much of a limit is used. */
import type { Statements } from './column-types.ts';

export const sharedState: Statements = ({ text, integer, strict, unlogged }) => [
  `create ${unlogged} table replay_key (key ${text} primary key, valid_until ${integer} not null) ${strict}`,
  `create ${unlogged} table rate_limit (name ${text} not null, key ${text} not null, full_at ${integer} not null, primary key (name, key)) ${strict}`,
];
