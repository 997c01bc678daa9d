import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { now as present } from '@/api/clock';
import { keys } from '@/api/queries';
import type { Property } from '@/api/types';
import { live } from '@/live/live';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { cx } from '@/parts/cx';
import { dayTime, span as length, value } from '@/parts/format';
import { Tooltip } from '@/parts/Tooltip';
import s from './StateRows.module.css';
import { readSpans, type Span, type StateValue } from './states';
import { useWindow } from './useWindow';
import { type Window, windowOf } from './window';

const most = 6;
const drawn = 200; // spans of one bar; more could not be told apart

/** States over time, one bar per property, with the last changes. */
export function StateRows({ twin, properties, range }: { twin: string; properties: Property[]; range: string }) {
  const [all, setAll] = useState(false);
  const window = useWindow(range);
  const shown = all ? properties.slice(0, 60) : properties.slice(0, most);
  return (
    <Card title="States" flush>
      <ul>
        {shown.map((p) => (
          <Row key={p.name} twin={twin} property={p.name} range={range} window={window} />
        ))}
      </ul>
      {properties.length > shown.length && !all && (
        <Button kind="quiet" onClick={() => setAll(true)}>
          Show more ({properties.length - shown.length})
        </Button>
      )}
    </Card>
  );
}

function Row({ twin, property, range, window: w }: { twin: string; property: string; range: string; window: Window }) {
  const query = useQuery({
    queryKey: keys.history(twin, { spans: property, range }),
    queryFn: ({ signal }) => {
      const { from, to } = windowOf(range, present() / 1000);
      return readSpans(twin, property, from, to, signal);
    },
    refetchOnWindowFocus: false,
  });
  // A change is worth reading again; the same value once more is not.
  const latest = query.data?.at(-1)?.value;
  const refetch = query.refetch;
  useEffect(
    () =>
      live.on('readings', ({ twins }) => {
        const r = twins.find((t) => t.twin === twin)?.reported.find((r) => r.property === property);
        if (r && r.value !== latest) void refetch();
      }),
    [twin, property, latest, refetch],
  );
  const spans = (query.data ?? []).slice(-drawn);
  const now = spans.at(-1);
  const changes = (query.data?.length ?? 1) - 1;
  return (
    <li className={s.row}>
      <span className={s.name}>
        <bdi title={property}>{property}</bdi>
        <span className={s.changes}>
          {query.isError
            ? 'could not be read'
            : changes > 0
              ? `${changes} ${changes === 1 ? 'change' : 'changes'}`
              : ''}
        </span>
      </span>
      <Bar spans={spans} window={w} />
      <span className={s.now}>
        <bdi title={now && String(now.value)}>{now ? value(now.value) : query.isPending ? '…' : '–'}</bdi>
      </span>
    </li>
  );
}

function Bar({ spans, window: w }: { spans: Span[]; window: Window }) {
  const width = w.to - w.from;
  const last = spans.length - 1;
  return (
    <div className={s.bar}>
      {spans.map((p, i) => {
        const from = Math.max(p.from, w.from);
        const to = i === last && w.moving ? w.to : Math.min(p.to, w.to);
        if (to <= from) return null;
        const share = ((to - from) / width) * 100;
        return (
          <Tooltip
            key={p.from}
            text={
              <>
                <bdi>{String(p.value).slice(0, 200)}</bdi> · {dayTime(p.from * 1000)} ·{' '}
                {length(Math.round(to - p.from))}
              </>
            }
          >
            <span
              className={cx(s.span, p.value === false && s.off)}
              style={{
                left: `${((from - w.from) / width) * 100}%`,
                width: `${share}%`,
                ...(typeof p.value === 'string' && { background: `var(--series-${colourOf(p.value)})` }),
              }}
            >
              {share > 8 && <bdi aria-hidden>{value(p.value)}</bdi>}
            </span>
          </Tooltip>
        );
      })}
    </div>
  );
}

/** The same text has the same colour, wherever it stands. */
function colourOf(v: StateValue): number {
  let h = 0;
  for (const c of String(v).slice(0, 64)) h = (h * 31 + c.codePointAt(0)!) % 9973;
  return (h % 6) + 1;
}
