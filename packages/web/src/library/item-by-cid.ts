/** The library's name for a content id, when it is among the items that were loaded. */
import { useInfiniteQuery } from '@tanstack/react-query';
import type { LibraryItem } from '@weir/contracts/content';
import { libraryQuery } from '../queries.ts';

export function useItemByCid(cid: string): LibraryItem | undefined {
  const library = useInfiniteQuery(libraryQuery);
  return library.data?.pages.flatMap(({ items }) => items).find((item) => item.cid === cid);
}
