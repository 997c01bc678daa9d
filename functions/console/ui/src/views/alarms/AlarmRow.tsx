import { memo, useRef } from 'react';
import { Link } from 'wouter';
import { SeverityBadge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { titleWords } from '@/parts/condition';
import { cx } from '@/parts/cx';
import { said } from '@/parts/format';
import { Lasted } from '@/parts/Lasted';
import { twinHref } from '@/parts/links';
import { Time } from '@/parts/Time';
import { actor } from '@/parts/words';
import s from './Alarms.module.css';
import type { Row } from './steady';

/** One alarm in the list. */
export const AlarmRow = memo(function AlarmRow({
  row,
  unit,
  chosen,
  goneWord,
  onOpen,
  onChoose,
  onTake,
}: {
  row: Row;
  unit?: string;
  chosen: boolean;
  goneWord: string;
  onOpen: (id: string) => void;
  onChoose: (id: string, range: boolean) => void;
  onTake: (id: string) => void;
}) {
  const a = row.alarm;
  const title = titleWords(a.title, unit);
  const named = useRef<HTMLButtonElement>(null);
  const over = row.gone || a.state === 'cleared';
  // The button goes; the focus stays in the row, so that neither the keyboard's place nor its leaving is lost.
  const takeOn = () => {
    named.current?.focus();
    onTake(a.id);
  };
  return (
    <tr className={cx(over && s.over, row.fresh && s.fresh, chosen && s.chosen)} data-alarm={a.id}>
      <td className={s.check}>
        <input
          type="checkbox"
          aria-label={`Select ${title.slice(0, 80)}`}
          checked={chosen}
          disabled={over}
          onChange={(e) => onChoose(a.id, (e.nativeEvent as MouseEvent).shiftKey)}
        />
      </td>
      <td className={s.severity}>
        <SeverityBadge severity={a.severity} />
      </td>
      <td className={s.what}>
        <button ref={named} type="button" className={s.title} onClick={() => onOpen(a.id)}>
          <bdi>{title}</bdi>
        </button>
        {a.twin ? (
          <Link href={twinHref(a.twin)} className={s.twin}>
            <bdi>{a.name || a.twin}</bdi>
          </Link>
        ) : (
          <span className={s.twin}>the platform itself</span>
        )}
      </td>
      <td className={s.value}>
        {a.value === undefined || a.value === null ? (
          <span className={s.faint}>–</span>
        ) : (
          <bdi>{said(a.value, unit)}</bdi>
        )}
      </td>
      <td className={s.raised}>
        <Time at={a.raisedAt} />
      </td>
      <td className={s.lasted}>
        <Lasted alarm={a} short />
      </td>
      <td className={s.state}>
        {over ? (
          <span className={s.faint}>{row.gone ? goneWord : 'cleared'}</span>
        ) : a.state === 'acknowledged' ? (
          <span className={s.by} title={a.note}>
            <bdi>{actor(a.acknowledgedBy)}</bdi>
            <span className={s.faint}>has taken it on</span>
          </span>
        ) : (
          <Button size="s" aria-label={`Take on ${title.slice(0, 80)}`} onClick={takeOn}>
            Take on
          </Button>
        )}
      </td>
    </tr>
  );
});
