import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Claim } from '@/api/types';
import { Card } from '@/parts/Card';
import { TextField } from '@/parts/Field';
import { plural } from '@/parts/format';
import { Listed, More } from '@/parts/Listed';
import { Empty } from '@/parts/States';
import { useRested } from '@/parts/useRested';
import s from './Serials.module.css';

const page = 500; // of up to 10,000

/** The serials that a claim names, a page at a time, or whether it names one. */
export function Serials({ claim }: { claim: Claim }) {
  const [typed, setTyped] = useState('');
  const serial = useRested(typed);
  const query = { limit: page, ...(serial && { serial }) };
  const list = useInfiniteQuery({
    queryKey: keys.claims({ id: claim.id, named: query }),
    queryFn: ({ signal, pageParam }) =>
      ok(
        api.GET('/function/credentials/claims/{id}/serials', {
          params: { path: { id: claim.id }, query: { ...query, ...(pageParam && { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    staleTime: Number.POSITIVE_INFINITY, // what a claim names never changes
  });
  const found = list.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Card title="Serials it names" note={plural(claim.listed ?? 0, 'serial')} flush>
      <div className={s.search}>
        <TextField
          label="Is this one among them?"
          bare
          placeholder="Is this serial among them?"
          maxLength={64}
          dir="auto"
          value={typed}
          onChange={(e) => setTyped(e.target.value)}
        />
      </div>
      <Listed
        query={list}
        count={found.length}
        what="The serials could not be read"
        empty={<Empty title="Not among them">The claim does not name this serial.</Empty>}
      >
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has only a keyboard must be able to scroll it */}
        <ul className={s.serials} aria-label="Serials" tabIndex={0}>
          {found.map((x) => (
            <li key={x}>
              <bdi>{x}</bdi>
            </li>
          ))}
        </ul>
      </Listed>
      {list.hasNextPage && (
        <More busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Show more
        </More>
      )}
    </Card>
  );
}
