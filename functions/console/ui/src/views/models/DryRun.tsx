import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { FlaskConical } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { reasonOf } from '@/api/problem';
import type { ProvisioningModel, Simulate, Simulation } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import form from '@/parts/Form.module.css';
import { Steps } from '@/parts/run/Steps';
import { Empty } from '@/parts/States';
import s from './DryRun.module.css';
import { Events } from './Events';
import { Gets } from './Gets';
import { simulate } from './models';
import { SampleForm } from './SampleForm';
import { callOf, firstSample, type Happening, happenings } from './sample';
import { useSettled } from './useCheck';

/** Tries a text with a device that is thought of, as it is typed: nothing is changed anywhere. */
export function DryRun({
  text,
  model,
  good,
  onPath,
}: {
  text: string;
  model: ProvisioningModel | undefined;
  /** The text can be tried. */
  good: boolean;
  /** Tells what came of it, for the drawing. */
  onPath: (s: Simulation | undefined) => void;
}) {
  const [sample, setSample] = useState(() => ({ ...firstSample, ...(model?.type && { type: model.type }) }));
  const [events, setEvents] = useState<Happening[]>([]);
  const next = useRef(1);
  const wanted = JSON.stringify(callOf(text, sample, events));
  const call = useSettled(wanted, 200);
  const { data, error, isPlaceholderData } = useQuery({
    queryKey: ['model-simulate', call],
    queryFn: ({ signal }) => simulate(JSON.parse(call), signal),
    enabled: good && call === wanted,
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 30_000,
  });
  const shown = error ? undefined : data;
  const tell = useRef(onPath);
  tell.current = onPath;
  useEffect(() => tell.current(shown), [shown]);
  useEffect(() => () => tell.current(undefined), []);
  const add = (when: string) =>
    setEvents([...events, { key: next.current++, when: when as Happening['when'], after: '', more: '' }]);
  const awaited = (shown?.awaits ?? []).filter((w) => happenings.includes(w as Happening['when']));
  return (
    <div className={s.split}>
      <div className={s.form}>
        <SampleForm sample={sample} onChange={(change) => setSample({ ...sample, ...change })} />
        <Events events={events} unused={shown?.unused ?? []} onChange={setEvents} onAdd={add} />
      </div>
      <section className={s.result} aria-label="What becomes of it" aria-busy={isPlaceholderData}>
        {error ? (
          <p role="alert" className={form.refused}>
            {reasonOf(error)}
          </p>
        ) : !shown ? (
          <Empty icon={<FlaskConical aria-hidden />} title="Nothing to try yet">
            When there is no fault in the text, what becomes of the device stands here, step by step.
          </Empty>
        ) : (
          <>
            <Gets id={model?.id ?? ''} sample={(JSON.parse(call) as Simulate).sample ?? {}} />
            <Outcome result={shown} title={titleOf(model, shown.state)} />
            {awaited.length > 0 && (
              <p className={s.awaits}>
                <span>What happens next?</span>
                {awaited.map((w) => (
                  <Button key={w} size="s" onClick={() => add(w)}>
                    {w}
                  </Button>
                ))}
              </p>
            )}
            <Steps steps={shown.steps} since={shown.begun} name={(state) => titleOf(model, state)} />
          </>
        )}
      </section>
    </div>
  );
}

const titleOf = (m: ProvisioningModel | undefined, state: string) =>
  m?.states?.find((x) => x.name === state)?.title || state;

/** In a line: how it ended, or where it stands. */
function Outcome({ result: r, title }: { result: Simulation; title: string }) {
  return (
    <p className={s.outcome} role="status">
      <Badge tone={r.outcome === 'completed' ? 'ok' : r.outcome ? 'critical' : 'accent'} dot>
        {r.outcome ?? 'waiting'}
      </Badge>
      <span>
        {r.outcome ? 'ends' : 'stands'} at <b dir="auto">{title}</b>
        {r.awaits && r.awaits.length > 0 && <> for {r.awaits.join(' or ')}</>}
      </span>
      {r.asks && (
        <q className={s.asked} dir="auto">
          {r.asks.text}
        </q>
      )}
      {r.reason && (
        <span className={s.reason} dir="auto">
          {r.reason}
        </span>
      )}
    </p>
  );
}
