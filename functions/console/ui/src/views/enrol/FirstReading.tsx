import { useQuery } from '@tanstack/react-query';
import { oneTwin } from '@/api/reads';
import type { Twin } from '@/api/types';
import { useLiveTwin } from '@/live/twins';
import { said } from '@/parts/format';
import s from './ComingIn.module.css';

const most = 4;

/** What a device that has just come in says first, or that nothing was heard yet. */
export function FirstReading({ twin: id }: { twin: string }) {
  const twin = useQuery(oneTwin(id));
  const type = useQuery(oneTwin(twin.data?.definition.type ?? ''));
  if (!twin.data) return null;
  return <Readings twin={twin.data} type={type.data} />;
}

function Readings({ twin, type }: { twin: Twin; type: Twin | undefined }) {
  const reported = useLiveTwin(twin).live.reported ?? [];
  const declared = type?.definition.model?.properties ?? [];
  const rank = (name: string) => {
    const i = declared.findIndex((p) => p.name === name);
    return i < 0 ? declared.length : i;
  };
  if (reported.length === 0) return <p className={s.note}>Its first reading is awaited…</p>;
  return (
    <dl className={s.readings}>
      {[...reported]
        .sort((a, b) => rank(a.property) - rank(b.property))
        .slice(0, most)
        .map((r) => (
          <div key={r.property}>
            <dt>
              <bdi>{r.property}</bdi>
            </dt>
            <dd>
              <bdi>{said(r.value, declared.find((p) => p.name === r.property)?.unit)}</bdi>
            </dd>
          </div>
        ))}
    </dl>
  );
}
