import { useInfiniteQuery } from '@tanstack/react-query';
import { ArrowUp } from 'lucide-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { More } from '@/parts/Listed';
import { RowTable } from '@/parts/RowTable';
import { Failure, Skeleton } from '@/parts/States';
import { useAcknowledge } from '@/parts/useAcknowledge';
import { useEntry } from '@/parts/useEntry';
import { unitIn, useKinds } from '@/parts/useKinds';
import { AlarmRow } from './AlarmRow';
import s from './Alarms.module.css';
import { type Filter, listOf } from './alarms';
import { Chosen } from './Chosen';
import { Nothing } from './Nothing';
import { type Row, steady } from './steady';
import { useRowKeys } from './useRowKeys';

/** The alarms that the filter finds. While somebody reads (points, has the focus in it, has selected some, or has scrolled) nothing in it moves. */
export function AlarmList({
  filter,
  filtered,
  reading,
  onOpen,
  onClear,
}: {
  filter: Filter;
  filtered: boolean;
  reading: boolean;
  onOpen: (id: string) => void;
  onClear: () => void;
}) {
  const list = useInfiniteQuery(listOf(filter));
  const kinds = useKinds();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [pointed, setPointed] = useState(false);
  // The alarm whose row has the focus; '' = another part of the table has it, undefined = it is elsewhere.
  const [here, setHere] = useState<string>();
  const last = useRef('');
  const table = useRef<HTMLTableElement>(null);
  const walked = useRef('');
  const { take } = useAcknowledge();
  const items = useMemo(() => list.data?.pages.flatMap((p) => p.items) ?? [], [list.data]);
  const { rows, waiting, show } = useSteadyRows(items, reading || pointed || here !== undefined || chosen.size > 0);
  const open = rows.filter((r) => !r.gone && r.alarm.state !== 'cleared').map((r) => r.alarm.id);
  const ids = open.filter((id) => chosen.has(id));

  const order = useRef(open);
  order.current = open;
  const choose = useCallback((id: string, range: boolean) => {
    setChosen((old) => {
      const next = new Set(old);
      const [a, b] = [order.current.indexOf(last.current), order.current.indexOf(id)];
      const on = !old.has(id);
      const reach = range && a >= 0 ? order.current.slice(Math.min(a, b), Math.max(a, b) + 1) : [id];
      for (const x of reach)
        if (on) next.add(x);
        else next.delete(x);
      return next;
    });
    last.current = id;
  }, []);
  const pressed = useRowKeys({
    choose: (id) => open.includes(id) && choose(id, false),
    take: (id) => void takeOn(ids.length > 0 ? ids : open.filter((x) => x === id)),
  });
  // Back to the row that had it last, if it is still there.
  useEntry(() => {
    const rows = [...(table.current?.querySelectorAll<HTMLElement>('[data-alarm]') ?? [])];
    return (rows.find((r) => r.dataset.alarm === walked.current) ?? rows[0])?.querySelector('button');
  });
  const takeOne = useCallback((id: string) => void take([id]), [take]);
  const takeOn = async (which: string[], note = '') => {
    if (which.length === 0) return;
    setChosen(new Set());
    await take(which, note);
  };

  if (list.isPending)
    return (
      <Card>
        <Skeleton lines={5} height={36} />
      </Card>
    );
  if (list.isError && !list.data)
    return (
      <Card>
        <Failure error={list.error} what="The alarms could not be read" retry={() => list.refetch()} />
      </Card>
    );
  if (rows.length === 0 && !list.hasNextPage)
    return <Nothing filtered={filtered} all={filter.state === ''} onClear={onClear} />;
  return (
    <Card flush className={s.card}>
      {waiting > 0 && (
        <div className={s.waiting} role="status">
          <Button size="s" kind="primary" icon={<ArrowUp aria-hidden />} onClick={show}>
            {waiting === 1 ? '1 new alarm' : `${waiting} new alarms`}
          </Button>
        </div>
      )}
      <RowTable
        ref={table}
        className={s.table}
        onKeyDown={pressed}
        onPointerEnter={(e) => e.pointerType === 'mouse' && setPointed(true)}
        onPointerLeave={() => setPointed(false)}
        onFocus={(e) => {
          const id = e.target.closest<HTMLElement>('[data-alarm]')?.dataset.alarm ?? '';
          setHere(id);
          if (id) walked.current = id;
        }}
        onBlur={(e) => !e.currentTarget.contains(e.relatedTarget) && setHere(undefined)}
      >
        <thead>
          <tr>
            <th scope="col" className={s.check}>
              <input
                type="checkbox"
                aria-label="Select all that are open"
                disabled={open.length === 0}
                checked={open.length > 0 && ids.length === open.length}
                ref={(el) => {
                  if (el) el.indeterminate = ids.length > 0 && ids.length < open.length;
                }}
                onChange={() => setChosen(new Set(ids.length === open.length ? [] : open))}
              />
            </th>
            {['Severity', 'Alarm', 'Value', 'Raised', 'Duration', 'Taken on by'].map((h) => (
              <th key={h} scope="col">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => (
            <AlarmRow
              key={r.alarm.id}
              row={r}
              unit={unitIn(kinds.get(r.alarm.type ?? ''), r.alarm.property)}
              chosen={chosen.has(r.alarm.id)}
              goneWord={filter.state === 'raised' ? 'taken on or cleared' : 'cleared'}
              onOpen={onOpen}
              onChoose={choose}
              onTake={takeOne}
            />
          ))}
        </tbody>
      </RowTable>
      {list.hasNextPage && (
        <More busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Show older
        </More>
      )}
      <p className={s.keys}>
        <kbd>↑</kbd> <kbd>↓</kbd> {here ? 'move' : 'lead into the list'}
        {here && open.includes(here) && (
          <>
            {' '}
            · <kbd>x</kbd> selects
          </>
        )}
        {here && (ids.length > 0 || open.includes(here)) && (
          <>
            {' '}
            · <kbd>a</kbd> takes on
          </>
        )}
        {here && (
          <>
            {' '}
            · <kbd>Enter</kbd> opens
          </>
        )}
      </p>
      {ids.length > 0 && (
        <Chosen count={ids.length} onTake={(note) => void takeOn(ids, note)} onNone={() => setChosen(new Set())} />
      )}
    </Card>
  );
}

/** The rows to show; `show` lets in those that wait. */
function useSteadyRows(items: Parameters<typeof steady>[1], held: boolean) {
  const before = useRef<Row[]>([]);
  const [asked, setAsked] = useState(0);
  const answered = useRef(0);
  const now = useMemo(() => {
    const hold = asked === answered.current && (held || scrollY > 120);
    return steady(before.current, items, hold);
  }, [items, held, asked]);
  useEffect(() => {
    before.current = now.rows;
    answered.current = asked;
  }, [now, asked]);
  return { ...now, show: () => setAsked((n) => n + 1) };
}
