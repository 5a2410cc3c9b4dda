/** What was asked of the server, or that it is not there yet, or why it could not be had. */
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Failure, Loading, Skeleton } from '../ui/states.tsx';

type AskedProps<T> = Readonly<{ query: UseQueryResult<T>; height?: string; children: (data: T) => ReactNode }>;

export function Asked<T>({ query, height = 'h-40', children }: AskedProps<T>) {
  if (query.isPending) return <Loading><Skeleton className={`w-full rounded-2xl ${height}`} /></Loading>;
  if (query.isError) return <Failure error={query.error} onRetry={() => { void query.refetch(); }} />;
  return children(query.data);
}
