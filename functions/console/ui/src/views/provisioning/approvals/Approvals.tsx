import { CircleCheck } from 'lucide-react';
import { useRef } from 'react';
import type { Run } from '@/api/types';
import { Card } from '@/parts/Card';
import { cx } from '@/parts/cx';
import { plural } from '@/parts/format';
import { Listed } from '@/parts/Listed';
import { Empty } from '@/parts/States';
import { Time } from '@/parts/Time';
import { useAsked } from '@/parts/useAsked';
import { useEntry } from '@/parts/useEntry';
import { useMedia } from '@/parts/useMedia';
import { useParam } from '@/parts/useParam';
import s from './Approvals.module.css';
import { Asked } from './Asked';

/** What waits for people, the one asked longest first, and what must be known to decide. */
export function Approvals() {
  const query = useAsked();
  const [chosen, choose] = useParam('run');
  const narrow = useMedia('(max-width: 900px)');
  const list = useRef<HTMLUListElement>(null);
  const items = [...(query.data?.items ?? [])]
    .filter((r) => r.asks)
    .sort((a, b) => Date.parse(a.asks!.since) - Date.parse(b.asks!.since));
  // One that was decided meanwhile stays, so that it is seen what came of it.
  const id = chosen || (narrow ? '' : (items[0]?.id ?? ''));
  useEntry(
    () => list.current?.querySelector<HTMLElement>('[aria-current=true]') ?? list.current?.querySelector('button'),
  );
  const walk = (e: React.KeyboardEvent) => {
    const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[e.key];
    if (!by || e.metaKey || e.ctrlKey || e.altKey) return;
    const next = items[items.findIndex((r) => r.id === id) + by];
    if (!next) return;
    e.preventDefault();
    choose(next.id);
    list.current?.querySelector<HTMLElement>(`[data-run="${CSS.escape(next.id)}"]`)?.focus();
  };
  const after = () => choose(items.find((r) => r.id !== id)?.id ?? '');
  if (items.length === 0 && !chosen)
    return (
      <Card>
        <Listed
          query={query}
          count={0}
          empty={
            <Empty icon={<CircleCheck aria-hidden />} title="Nothing waits for you">
              A device whose provisioning model asks people, such as <code>semi-automatic</code>, waits here until
              somebody of its group approves it.
            </Empty>
          }
        >
          {null}
        </Listed>
      </Card>
    );
  return (
    <div className={cx(s.split, narrow && id && s.one)}>
      <Card title="Waiting for people" note={plural(items.length, 'run')} flush className={s.queue}>
        <ul ref={list} onKeyDown={walk} className={s.list}>
          {items.map((r) => (
            <li key={r.id}>
              <Item run={r} on={r.id === id} onChoose={choose} />
            </li>
          ))}
        </ul>
        <p className={s.keys}>
          <kbd>↑</kbd> <kbd>↓</kbd> move · <kbd>a</kbd> to approve · <kbd>d</kbd> to decline
        </p>
      </Card>
      {id && <Asked key={id} id={id} onBack={narrow ? () => choose('') : undefined} onDone={after} />}
    </div>
  );
}

function Item({ run: r, on, onChoose }: { run: Run; on: boolean; onChoose: (id: string) => void }) {
  return (
    <button type="button" className={s.item} data-run={r.id} aria-current={on} onClick={() => onChoose(r.id)}>
      <b>
        <bdi>{r.request.serial || 'serial not known yet'}</bdi>
      </b>
      <span className={s.when}>
        <Time at={r.asks?.since} />
      </span>
      <span className={s.text} dir="auto">
        {r.asks?.text}
      </span>
    </button>
  );
}
