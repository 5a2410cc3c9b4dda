/** What the Access pages ask of the server, each under one key. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import type { ExplainRequest } from '@weir/contracts/access';
import type { AuditSearch } from '@weir/contracts/audit';
import type { GrantState } from '@weir/contracts/policies';
import * as access from '@weir/sdk/access';
import * as audit from '@weir/sdk/audit';
import * as auth from '@weir/sdk/auth';
import * as grants from '@weir/sdk/grants';
import * as keys from '@weir/sdk/keys';
import * as principals from '@weir/sdk/principals';
import * as tokens from '@weir/sdk/tokens';
import type { input } from 'zod';
import { api } from '../api.ts';

/** The most that the server gives at once. */
const principalsPage = 500;
const listPage = 50;

type Page = Readonly<{ next_cursor: string | null }>;
const paged = { initialPageParam: undefined as string | undefined, getNextPageParam: (page: Page) => page.next_cursor ?? undefined };

export const principalsQuery = infiniteQueryOptions({
  queryKey: ['principals'], queryFn: ({ pageParam, signal }) => principals.list(api, { cursor: pageParam, limit: principalsPage, signal }), ...paged,
});
/** Those who may come from an address. */
export const admittedQuery = (address: string) => queryOptions({
  queryKey: ['principals', 'from', address], queryFn: ({ signal }) => principals.list(api, { limit: principalsPage, address, signal }),
});
export const principalQuery = (name: string) => queryOptions({ queryKey: ['principals', 'one', name], queryFn: ({ signal }) => principals.show(api, name, { signal }) });
export const externalIdentitiesQuery = (name: string) => queryOptions({ queryKey: ['principals', 'identities', name], queryFn: ({ signal }) => principals.identities(api, name, { signal }) });

export const rolesQuery = queryOptions({ queryKey: ['roles'], queryFn: ({ signal }) => access.roles(api, { signal }), staleTime: 60_000 });

export type Who = Readonly<{ principal: string } | { role: string }>;
export const abilitiesQuery = (who: Who) => queryOptions({ queryKey: ['abilities', who], queryFn: ({ signal }) => access.abilities(api, who, { signal }) });

export const explanationQuery = (question: input<typeof ExplainRequest>) => queryOptions({ queryKey: ['explanation', question], queryFn: ({ signal }) => access.explain(api, question, { signal }), staleTime: 0 });

export const tokensQuery = (owner: string) => infiniteQueryOptions({
  queryKey: ['tokens', owner], queryFn: ({ pageParam, signal }) => tokens.list(api, { owner, cursor: pageParam, limit: listPage, signal }), ...paged,
});

export const allGrantsQuery = (owner: string, state: GrantState | undefined) => infiniteQueryOptions({
  queryKey: ['grants', 'of', owner, state], queryFn: ({ pageParam, signal }) => grants.list(api, { owner, state, cursor: pageParam, limit: listPage, signal }), ...paged,
});

export const sessionsOfQuery = (owner: string) => queryOptions({ queryKey: ['sessions', owner], queryFn: ({ signal }) => auth.sessions(api, { owner, signal }) });

export const seenAddressQuery = queryOptions({ queryKey: ['seen-address'], queryFn: ({ signal }) => access.seenAddress(api, { signal }) });

export const keysQuery = queryOptions({ queryKey: ['signing-keys'], queryFn: ({ signal }) => keys.list(api, { signal }) });

export type AuditFilter = Partial<Omit<AuditSearch, 'cursor' | 'limit'>>;
export const auditQuery = (filter: AuditFilter) => infiniteQueryOptions({
  queryKey: ['audit', filter], queryFn: ({ pageParam, signal }) => audit.list(api, { ...filter, cursor: pageParam, limit: listPage, signal }), ...paged,
});
