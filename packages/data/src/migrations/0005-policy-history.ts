/** What became of each policy: the version that a change made, by whom, and what stood there before and after. */
import type { ColumnTypes, Statements } from './column-types.ts';

export const policyHistory: Statements = ({ text, integer, strict }: ColumnTypes) => [
  `create table policy_change (
    holding ${text} not null,
    version ${integer} not null check (version >= 1),
    at ${integer} not null,
    principal ${text} not null,
    policy_before ${text},
    policy_after ${text},
    primary key (holding, version)
  ) ${strict}`,
];
