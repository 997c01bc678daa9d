import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useRef, useState } from 'react';
import type { Waiting } from '@/api/types';
import { Card } from '@/parts/Card';
import { Filter } from '@/parts/Filter';
import { Filters, SearchField } from '@/parts/Filters';
import { count, plural } from '@/parts/format';
import { Listed, More } from '@/parts/Listed';
import { RowTable } from '@/parts/RowTable';
import { Segments } from '@/parts/Segments';
import { toast } from '@/parts/toast';
import { useEntry } from '@/parts/useEntry';
import { useParam } from '@/parts/useParam';
import { AdmitDialog } from './AdmitDialog';
import { BanDialog } from './BanDialog';
import { ChosenBar } from './ChosenBar';
import { NobodyKnocks } from './NobodyKnocks';
import { again, unban } from './settle';
import { useWaiting, useWaitingCounts } from './useWaiting';
import s from './Waiting.module.css';
import { WaitingRow } from './WaitingRow';
import { chosenAfter, guesses, shown } from './waiting';

const states = ['waiting', 'admitted', 'banned'] as const;
const step = 200; // rows more at each click: what is chosen may be all the same
const titles = { waiting: 'Waiting', admitted: 'Admitted', banned: 'Banned' };

/** Unknown devices that knock at a provisioning gateway: what they say they are, and letting them in or not, one or many. */
export function WaitingList() {
  const [which, setWhich] = useParam('state', 'waiting');
  const state = states.find((x) => x === which) ?? 'waiting';
  const [text, setText] = useParam('q');
  const [guess, setGuess] = useParam('guess');
  const counts = useWaitingCounts(true);
  const filtered = !!text || !!guess;
  const [everyone, setEveryone] = useState(false); // all that match are to be chosen, once all are read
  const list = useWaiting(state, filtered || everyone);
  const [most, setMost] = useState(step);
  const queries = useQueryClient();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [asking, setAsking] = useState<{ to: 'admit' | 'ban'; who: Waiting[] }>();
  const last = useRef('');
  const table = useRef<HTMLTableElement>(null);
  const items = list.data?.pages.flatMap((p) => p.items) ?? [];
  const rows = shown(items, { text, guess });
  const seen = rows.slice(0, most);
  const order = seen.map((w) => w.id);
  const picked = rows.filter((w) => chosen.has(w.id));
  const latest = useRef(order);
  latest.current = order;
  const choose = useCallback((id: string, range: boolean) => {
    const from = last.current; // by the time the state is set it is another
    last.current = id;
    setChosen((old) => chosenAfter(old, latest.current, id, from, range));
  }, []);
  const complete = !list.hasNextPage;
  const matching = filtered || complete ? rows.length : (counts?.[state] ?? rows.length);
  if (everyone && (complete || list.isError)) {
    setEveryone(false);
    if (complete) setChosen(new Set(rows.map((w) => w.id)));
  }
  const none = () => {
    setChosen(new Set());
    setEveryone(false);
  };
  useEntry(() => table.current?.querySelector<HTMLElement>('[data-index] input'));
  const back = async (who: Waiting[]) => {
    try {
      const d = await unban(who.map((w) => w.id));
      if (d.done > 0) toast.done(`${plural(d.done, 'device')} may knock again`);
      if (d.faults[0]) toast.failed(`${plural(d.faults.length, 'device')} not changed`, new Error(d.faults[0].reason));
    } catch (e) {
      toast.failed('Not changed', e);
    }
    none();
    again(queries);
  };
  const pressed = (e: React.KeyboardEvent) => {
    if (e.metaKey || e.ctrlKey || e.altKey) return;
    const row = (e.target as HTMLElement).closest<HTMLElement>('[data-index]');
    const at = row ? Number(row.dataset.index) : -1;
    const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[e.key];
    const to = by ? seen[at + by] : undefined;
    if (by && to) {
      e.preventDefault();
      table.current?.querySelector<HTMLElement>(`[data-index="${at + by}"] input`)?.focus();
      if (e.shiftKey) setChosen((old) => new Set([...old, to.id, ...(rows[at] ? [rows[at].id] : [])]));
    } else if (e.key === 'x' && rows[at]) choose(rows[at].id, false);
  };
  const done = (left: string[]) => {
    setChosen(new Set(left));
    setAsking(undefined);
    again(queries);
  };
  const all = seen.length > 0 && seen.every((w) => chosen.has(w.id));
  return (
    <div className={s.page}>
      <Filters
        count={list.data && filtered && (complete ? `${count(rows.length)} of ${count(items.length)}` : 'Searching…')}
      >
        <Segments
          label="Which devices"
          value={state}
          items={states.map((id) => ({
            id,
            label: counts?.[id] ? `${titles[id]} ${count(counts[id])}` : titles[id],
          }))}
          onChange={(v) => {
            setWhich(v);
            none();
            setMost(step);
          }}
        />
        <SearchField placeholder="Serial, model or maker" value={text} onChange={setText} />
        <Filter
          label="Guess"
          value={guess}
          choices={guesses(items).map(([id, n]) => ({
            id,
            label: id === '?' ? 'No guess' : id,
            note: complete ? count(n) : undefined,
          }))}
          onChange={setGuess}
        />
      </Filters>
      <Card flush label="Waiting list" className={s.card}>
        <Listed query={list} count={rows.length} empty={complete && <NobodyKnocks state={state} filtered={filtered} />}>
          <RowTable ref={table} className={s.table} onKeyDown={pressed}>
            <thead>
              <tr>
                <th scope="col" className={s.check}>
                  <input
                    type="checkbox"
                    aria-label="Select all that are shown"
                    checked={all}
                    ref={(el) => {
                      if (el) el.indeterminate = picked.length > 0 && !all;
                    }}
                    onChange={() => setChosen(new Set(all ? [] : order))}
                  />
                </th>
                <th scope="col" className={s.who}>
                  Device
                </th>
                <th scope="col" className={s.guess}>
                  {state === 'waiting' ? 'It may be' : 'Decided'}
                </th>
                <th scope="col">Knocks at</th>
                <th scope="col">Last</th>
                <th scope="col" className={s.do}>
                  <span className="visually-hidden">What can be done</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {seen.map((w, i) => (
                <WaitingRow
                  key={w.id}
                  row={w}
                  index={i}
                  chosen={chosen.has(w.id)}
                  onChoose={choose}
                  onAdmit={() => setAsking({ to: 'admit', who: [w] })}
                  onBan={() => setAsking({ to: 'ban', who: [w] })}
                  onBack={() => void back([w])}
                />
              ))}
            </tbody>
          </RowTable>
          {(seen.length < rows.length || !complete) && (
            <More
              busy={list.isFetchingNextPage}
              onClick={() => {
                setMost(most + step);
                if (rows.length < most + step && !complete) void list.fetchNextPage();
              }}
            >
              Show more
            </More>
          )}
          <p className={s.keys}>
            <kbd>↑</kbd> <kbd>↓</kbd> move · <kbd>Shift</kbd> with them selects · <kbd>x</kbd> selects one
          </p>
        </Listed>
        {picked.length > 0 && (
          <ChosenBar
            chosen={picked.length}
            state={state}
            more={
              all && picked.length < matching ? `Select all ${count(matching)}${filtered ? ' that match' : ''}` : ''
            }
            busy={everyone}
            onMore={() => setEveryone(true)}
            onNone={none}
            onAdmit={() => setAsking({ to: 'admit', who: picked })}
            onBan={() => setAsking({ to: 'ban', who: picked })}
            onBack={() => void back(picked)}
          />
        )}
      </Card>
      {asking?.to === 'admit' && <AdmitDialog who={asking.who} onClose={() => setAsking(undefined)} onDone={done} />}
      {asking?.to === 'ban' && (
        <BanDialog who={asking.who} onClose={() => setAsking(undefined)} onDone={done} onUndo={(w) => void back(w)} />
      )}
    </div>
  );
}
