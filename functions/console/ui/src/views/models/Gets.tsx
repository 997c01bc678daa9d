import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ModelChosen, Simulate } from '@/api/types';
import { TextLink } from '@/parts/TextLink';
import { useKinds } from '@/parts/useKinds';
import s from './DryRun.module.css';
import { choose, modelHref } from './models';

const words: Record<ModelChosen['choices'][number]['verdict'], string> = {
  holds: 'holds',
  fails: 'does not hold',
  unjudged: 'cannot be judged',
  'passed-by': 'is not asked any more',
};

/** By which model the device that is thought of would come in as its type is now, and why: it need not be the one that is tried. */
export function Gets({ id, sample }: { id: string; sample: NonNullable<Simulate['sample']> }) {
  const known = useKinds().get(sample.type ?? '')?.kind === 'type';
  const { data } = useQuery({
    queryKey: ['model-choose', sample],
    queryFn: ({ signal }) => choose({ ...sample, type: sample.type ?? '' }, signal),
    enabled: known,
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 30_000,
  });
  if (!known || !data) return null;
  return (
    <div className={s.gets}>
      <p>
        A <bdi>{data.type}</bdi> like this comes in by{' '}
        {data.model === id ? <b>this model</b> : <TextLink href={modelHref(data.model)}>{data.model}</TextLink>}:{' '}
        <bdi>{data.why}</bdi>.
      </p>
      {data.choices.length > 0 && (
        <ul>
          {data.choices.map((c) => (
            <li key={c.if}>
              <bdi>{c.model}</bdi> if <code>{c.if}</code>: <span title={c.reason}>{words[c.verdict]}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
