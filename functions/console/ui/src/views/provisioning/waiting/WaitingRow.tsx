import { memo } from 'react';
import { Link } from 'wouter';
import type { Waiting } from '@/api/types';
import { Button } from '@/parts/Button';
import { cx } from '@/parts/cx';
import { plural } from '@/parts/format';
import { runHref } from '@/parts/links';
import { Time } from '@/parts/Time';
import { actor } from '@/parts/words';
import s from './Waiting.module.css';

const listed = (...parts: (string | undefined)[]) => parts.filter(Boolean).join(' · ');

/** One device that knocks, was admitted or is banned. */
export const WaitingRow = memo(function WaitingRow({
  row: w,
  index,
  chosen,
  onChoose,
  onAdmit,
  onBan,
  onBack,
}: {
  row: Waiting;
  index: number;
  chosen: boolean;
  onChoose: (id: string, range: boolean) => void;
  onAdmit: () => void;
  onBan: () => void;
  onBack: () => void;
}) {
  const name = w.serial.slice(0, 60);
  return (
    <tr className={cx(chosen && s.chosen)} data-index={index}>
      <td className={s.check}>
        <input
          type="checkbox"
          aria-label={`Select ${name}`}
          checked={chosen}
          onChange={(e) => onChoose(w.id, (e.nativeEvent as MouseEvent).shiftKey)}
        />
      </td>
      <td className={s.who}>
        <b>
          <bdi>{w.serial}</bdi>
        </b>
        <span title={(w.capabilities ?? []).join(', ')}>
          <bdi>
            {listed(
              w.maker,
              w.model,
              w.mac,
              ...(w.capabilities?.length ? [w.capabilities.slice(0, 4).join(', ')] : []),
            ) || 'says nothing more'}
          </bdi>
        </span>
      </td>
      <td className={s.guess}>{w.state === 'waiting' ? <Guess of={w} /> : <Settled of={w} />}</td>
      <td className={s.at}>
        <bdi>{w.gateway}</bdi>
        <span>
          <bdi>{w.address}</bdi>
        </span>
      </td>
      <td className={s.last}>
        <Time at={w.last} />
        <span>{plural(w.count, 'knock')}</span>
      </td>
      <td className={s.do}>
        {w.state === 'waiting' ? (
          <>
            <Button size="s" kind="quiet" onClick={onBan} aria-label={`Ban ${name}`}>
              Ban…
            </Button>
            <Button size="s" onClick={onAdmit} aria-label={`Admit ${name}`}>
              Admit…
            </Button>
          </>
        ) : w.run ? (
          <Link href={runHref(w.run)} className={s.link}>
            Its run
          </Link>
        ) : (
          <Button size="s" onClick={onBack} aria-label={`Let ${name} wait again`}>
            {w.state === 'banned' ? 'Lift the ban' : 'Take back'}
          </Button>
        )}
      </td>
    </tr>
  );
});

function Guess({ of: w }: { of: Waiting }) {
  const [first, ...others] = w.guess ?? [];
  // Why it waits again: an admission that could not be carried out, a ban that was lifted.
  const why = w.reason && (
    <span className={s.why} dir="auto" title={w.reason}>
      {w.reason}
    </span>
  );
  if (!first)
    return (
      <>
        <span className={s.faint}>no guess</span>
        {why}
      </>
    );
  return (
    <>
      <b>
        <bdi>{first.type}</bdi> <span className={s.score}>{Math.round(first.score * 100)} %</span>
      </b>
      {why || (
        <span title={[first, ...others].map((g) => `${g.type}: ${g.why}`).join('\n')}>
          <bdi>{first.why}</bdi>
          {others.length > 0 && ` · or ${others.map((g) => g.type).join(', ')}`}
        </span>
      )}
    </>
  );
}

function Settled({ of: w }: { of: Waiting }) {
  return (
    <>
      <b>
        {w.type ? (
          <>
            as <bdi>{w.type}</bdi> for <bdi>{w.owner}</bdi>
          </>
        ) : (
          <bdi>{w.reason || 'no reason given'}</bdi>
        )}
      </b>
      <span>
        by <bdi>{actor(w.by)}</bdi> <Time at={w.at} />
        {w.type && w.reason && <bdi> · {w.reason}</bdi>}
      </span>
    </>
  );
}
