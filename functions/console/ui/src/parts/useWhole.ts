import { useEffect } from 'react';

/** What must be known of a list that is read a page at a time; TanStack's infinite queries have it. */
interface Paged {
  hasNextPage: boolean;
  isFetching: boolean;
  isError: boolean;
  fetchNextPage: () => unknown;
}

/** Reads a list on to its end while it is wanted whole, as where it is searched here and not by the platform. */
export function useWhole({ hasNextPage, isFetching, isError, fetchNextPage }: Paged, whole: boolean): void {
  useEffect(() => {
    if (whole && hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [whole, hasNextPage, isFetching, isError, fetchNextPage]);
}
