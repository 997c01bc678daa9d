import { useQuery } from '@tanstack/react-query';
import { PlugZap } from 'lucide-react';
import { useSearchParams } from 'wouter';
import { board } from '@/api/reads';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Filter } from '@/parts/Filter';
import { count, plural } from '@/parts/format';
import { Listed } from '@/parts/Listed';
import { Segments } from '@/parts/Segments';
import { Empty } from '@/parts/States';
import { useKinds } from '@/parts/useKinds';
import { useParam } from '@/parts/useParam';
import { usesOf } from '@/views/models/models';
import s from './Board.module.css';
import { type Lane, lanes, type Order, orders } from './board';
import { RunTable } from './RunTable';

const words: Record<Order, string> = {
  newest: 'Newest',
  people: 'Waiting for people',
  still: 'Still for longest',
  ended: 'Ended',
};

const outcomes = ['completed', 'rejected'] as const;

/** All runs under way: how many are in which state, and the runs themselves. */
export function Board() {
  const query = useQuery(board());
  const [type, setType] = useParam('type');
  const [model] = useParam('model');
  const [state] = useParam('state');
  const [ended, setEnded] = useParam('outcome');
  const [show, setShow] = useParam('show', 'newest');
  const [, setParams] = useSearchParams();
  const order = orders.find((o) => o === show) ?? 'newest';
  const outcome = outcomes.find((o) => o === ended) ?? '';
  const items = query.data?.items ?? [];
  const all = lanes(items, type);
  const types = [...useKinds().values()].filter((t) => t.kind === 'type');
  const uses = usesOf(types);
  const narrow = (m: string, st: string) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        for (const [k, v] of [
          ['model', m],
          ['state', st],
        ] as const)
          if (v) next.set(k, v);
          else next.delete(k);
        return next;
      },
      { replace: true },
    );
  return (
    <div className={s.page}>
      <Card
        title="Under way"
        note={
          query.data
            ? `${plural(
                all.reduce((n, l) => n + l.count, 0),
                'run',
              )}${query.data.more ? ' at least' : ''}`
            : ''
        }
        flush
      >
        <Listed
          query={query}
          count={all.length}
          lines={3}
          empty={
            <Empty
              icon={<PlugZap aria-hidden />}
              title="Nothing is coming in"
              action={<ButtonLink href="/enrol">Enrol a device</ButtonLink>}
            >
              A device that asks with a claim shows here while it comes in, state by state.
            </Empty>
          }
        >
          {all.map((l) => (
            <OneLane key={l.model} lane={l} at={l.model === model ? state : undefined} onChoose={narrow} />
          ))}
        </Listed>
      </Card>
      <div className={s.filters}>
        <Segments
          label="Which runs"
          value={order}
          items={orders.map((id) => ({ id, label: words[id] }))}
          onChange={(v) => setShow(v)}
        />
        <Filter
          label="Type"
          value={type}
          choices={choices(
            type,
            items.map((i) => i.type),
            types.map((t) => t.id),
          )}
          onChange={setType}
        />
        <Filter
          label="Model"
          value={model}
          choices={choices(
            model,
            all.map((l) => l.model),
            uses.keys(),
          )}
          onChange={(m) => narrow(m, '')}
        />
        {order === 'ended' && (
          <Filter
            label="Outcome"
            value={outcome}
            choices={outcomes.map((id) => ({ id, label: id === 'completed' ? 'Completed' : 'Rejected' }))}
            onChange={setEnded}
          />
        )}
        {state && order !== 'ended' && (
          <button type="button" className={s.clear} onClick={() => narrow(model, '')}>
            In state <b>{all.flatMap((l) => l.stages).find((x) => x.state === state)?.title ?? state}</b> ×
          </button>
        )}
      </div>
      <RunTable only={{ type, model, state, outcome }} order={order} />
    </div>
  );
}

/** What a filter offers: what is under way, what might be, and what is chosen. */
const choices = (chosen: string, ...some: Iterable<string>[]) =>
  [...new Set([...some.flatMap((x) => [...x]), ...(chosen ? [chosen] : [])])].sort().map((id) => ({ id, label: id }));

/** One model: its states in their order, each as wide as the others, its number as large as it is. */
function OneLane({
  lane: l,
  at,
  onChoose,
}: {
  lane: Lane;
  at?: string;
  onChoose: (model: string, state: string) => void;
}) {
  const most = Math.max(...l.stages.map((x) => x.count));
  return (
    <section className={s.lane} aria-label={`Model ${l.model}`}>
      <div className={s.about}>
        <b dir="auto">{l.model}</b>
        <span>
          {plural(l.count, 'run')}
          {l.people > 0 && ` · ${count(l.people)} waiting for people`}
        </span>
      </div>
      <ol className={s.stages}>
        {l.stages.map((x) => (
          <li key={x.state}>
            <button
              type="button"
              className={s.stage}
              aria-pressed={at === x.state}
              data-people={x.people > 0 || undefined}
              onClick={() => onChoose(l.model, at === x.state ? '' : x.state)}
            >
              <span className={s.number}>{count(x.count)}</span>
              <span className={s.name} dir="auto">
                {x.title}
              </span>
              {x.people > 0 && (
                <span className={s.people}>
                  {x.people === x.count ? 'for people' : `${count(x.people)} for people`}
                </span>
              )}
              <span className={s.bar} aria-hidden>
                <span style={{ width: `${(100 * x.count) / most}%` }} />
              </span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
