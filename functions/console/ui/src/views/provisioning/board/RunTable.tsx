import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { ListChecks } from 'lucide-react';
import { useEffect } from 'react';
import { Link } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import { board } from '@/api/reads';
import type { Run } from '@/api/types';
import { Card } from '@/parts/Card';
import { Listed, More } from '@/parts/Listed';
import { decideHref, runHref, twinHref } from '@/parts/links';
import { RowTable } from '@/parts/RowTable';
import { askedOf, present } from '@/parts/run/words';
import { Empty } from '@/parts/States';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';
import { has, useUser } from '@/parts/useUser';
import { StandingBadge } from '../StandingBadge';
import s from './Board.module.css';
import { type Order, ordered } from './board';

const step = 50; // rows more at each click
const most = { runs: 5000, rows: 500 }; // of those that stand still for longest: how many are read, how many shown

/** Which runs; '' is any. */
export interface Only {
  type: string;
  model: string;
  state: string;
  outcome: Run['outcome'] | '';
}

/** The runs behind the numbers. Those that stand still for longest are the last of the list, so for them it is read to its end. */
export function RunTable({ only, order }: { only: Only; order: Order }) {
  const decides = has(useUser(), 'maintainer', 'configurator', 'owner');
  const titles = new Map(useQuery(board()).data?.items.map((i) => [`${i.model} ${i.state}`, i.title]));
  const { type, model, state, outcome } = only;
  const query = {
    open: order === 'ended' ? ('false' as const) : ('true' as const),
    ...(order === 'people' && { awaits: 'people' as const }),
    ...(type && { type }),
    ...(model && { model }),
    // What has ended is in no state any more, and what has not has no outcome.
    ...(state && order !== 'ended' && { state }),
    ...(outcome && order === 'ended' && { outcome }),
    limit: order === 'still' ? 1000 : step,
  };
  const list = useInfiniteQuery({
    queryKey: keys.runs({ ...query, pages: true }),
    queryFn: ({ signal, pageParam }) =>
      ok(
        api.GET('/function/twin-provision/runs', {
          params: { query: { ...query, ...(pageParam && { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: (old) => old,
  });
  const read = list.data?.pages.flatMap((p) => p.items) ?? [];
  const rows = order === 'still' ? ordered(read, order).slice(0, most.rows) : ordered(read, order);
  const goesOn = order === 'still' && list.hasNextPage && !list.isFetching && !list.error && read.length < most.runs;
  const { fetchNextPage } = list;
  useEffect(() => {
    if (goesOn) void fetchNextPage();
  }, [goesOn, fetchNextPage]);
  return (
    <Card flush label="Runs">
      <Listed
        query={list}
        count={rows.length}
        empty={
          <Empty icon={<ListChecks aria-hidden />} title={order === 'people' ? 'Nothing waits for people' : 'No runs'}>
            {order === 'ended' ? 'None has ended that you may see.' : 'None is under way that this shows.'}
          </Empty>
        }
      >
        <RowTable className={s.table}>
          <thead>
            <tr>
              <th scope="col" className={s.who}>
                Device
              </th>
              <th scope="col" className={s.at}>
                {order === 'ended' ? 'How it ended' : 'State'}
              </th>
              <th scope="col" className={s.standing}>
                Standing
              </th>
              <th scope="col">Model</th>
              <th scope="col">{order === 'ended' ? 'Ended' : 'Changed'}</th>
              <th scope="col">Begun</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((r) => (
              <Row key={r.id} run={r} title={titles.get(`${r.model.id} ${r.state}`) ?? r.state} decides={decides} />
            ))}
          </tbody>
        </RowTable>
        {list.hasNextPage && order !== 'still' && (
          <More busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Show more
          </More>
        )}
      </Listed>
    </Card>
  );
}

function Row({ run: r, title, decides }: { run: Run; title: string; decides: boolean }) {
  // What has ended is told by how: the state that it ended in only has another name for that.
  const head = r.outcome ? present(r) : title;
  const why = r.outcome ? '' : r.asks ? `${askedOf(r)}: ${r.asks.text}` : (r.reason ?? '');
  return (
    <tr>
      <td className={s.who}>
        <div className={s.device}>
          <Link href={runHref(r.id)}>
            <bdi>{r.request.serial || 'serial not known yet'}</bdi>
          </Link>
          <span>
            <bdi>{r.type}</bdi>
            {r.owner && (
              <>
                {' '}
                for <bdi>{r.owner}</bdi>
              </>
            )}
          </span>
        </div>
      </td>
      <td className={s.at}>
        <div className={s.state}>
          <b dir="auto" title={r.outcome && head}>
            {head}
          </b>
          {why && (
            <span dir="auto" title={why}>
              {why}
            </span>
          )}
          {r.outcome && r.twin && (
            <span>
              twin <TextLink href={twinHref(r.twin)}>{r.twin}</TextLink>
            </span>
          )}
        </div>
      </td>
      <td className={s.standing}>
        {r.asks && decides ? (
          <Link href={decideHref(r.id)} title="To the decision">
            <StandingBadge run={r} />
          </Link>
        ) : (
          <StandingBadge run={r} />
        )}
      </td>
      <td className={s.model}>
        <bdi>{r.model.id}</bdi>
      </td>
      <td className={s.changed}>
        <Time at={r.updated} />
      </td>
      <td className={s.begun}>
        <Time at={r.created} />
      </td>
    </tr>
  );
}
