/** What the pages ask of the server, each under one key. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import type { LibraryItem } from '@weir/contracts/content';
import * as auth from '@weir/sdk/auth';
import * as grants from '@weir/sdk/grants';
import * as identities from '@weir/sdk/identities';
import * as jobs from '@weir/sdk/jobs';
import * as library from '@weir/sdk/library';
import * as passkeys from '@weir/sdk/passkeys';
import * as policies from '@weir/sdk/policies';
import * as recipes from '@weir/sdk/recipes';
import * as status from '@weir/sdk/status';
import { api } from './api.ts';

const pageSize = 60;

export const permissionsQuery = queryOptions({
  queryKey: ['permissions'], queryFn: ({ signal }) => auth.permissions(api, { signal }), staleTime: 60_000,
});

export const methodsQuery = queryOptions({
  queryKey: ['sign-in-methods'], queryFn: ({ signal }) => auth.methods(api, { signal }), staleTime: 300_000,
});

export const sessionsQuery = queryOptions({ queryKey: ['sessions'], queryFn: ({ signal }) => auth.sessions(api, { signal }) });
export const passkeysQuery = queryOptions({ queryKey: ['passkeys'], queryFn: ({ signal }) => passkeys.list(api, { signal }) });
export const identitiesQuery = queryOptions({ queryKey: ['identities'], queryFn: ({ signal }) => identities.list(api, { signal }) });

export const statusQuery = queryOptions({
  queryKey: ['status'], queryFn: ({ signal }) => status.get(api, { signal }), refetchInterval: 30_000,
});

export const libraryQuery = infiniteQueryOptions({
  queryKey: ['library'],
  queryFn: ({ pageParam, signal }) => library.list(api, { cursor: pageParam, limit: pageSize, signal }),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page) => page.next_cursor ?? undefined,
});

export const libraryItemQuery = (libraryId: string) => queryOptions({
  queryKey: ['library-item', libraryId], queryFn: ({ signal }) => library.get(api, libraryId, { signal }),
});

/** The policy of a content of the caller; one without a level has none, so nothing is asked. */
export const policyQuery = ({ cid, level }: Pick<LibraryItem, 'cid' | 'level'>) => queryOptions({
  queryKey: ['policy', cid], queryFn: ({ signal }) => (level === null ? null : policies.get(api, cid, { signal })), staleTime: 30_000,
});

export const policyHistoryQuery = (cid: string) => queryOptions({
  queryKey: ['policy-history', cid], queryFn: ({ signal }) => policies.history(api, cid, { limit: 20, signal }), staleTime: 30_000,
});

export const grantsQuery = (cid: string) => queryOptions({
  queryKey: ['grants', cid], queryFn: ({ signal }) => grants.list(api, { cid, limit: 100, signal }), refetchInterval: 15_000,
});

export const recipesQuery = queryOptions({
  queryKey: ['recipes'], queryFn: ({ signal }) => recipes.list(api, { signal }), staleTime: 300_000,
});

export const jobsQuery = infiniteQueryOptions({
  queryKey: ['jobs'],
  queryFn: ({ pageParam, signal }) => jobs.list(api, { cursor: pageParam, limit: pageSize, signal }),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page) => page.next_cursor ?? undefined,
});

export const jobQuery = (jobId: string) => queryOptions({
  queryKey: ['job', jobId], queryFn: ({ signal }) => jobs.get(api, jobId, { signal }),
});
