import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { KeyboardEvent } from 'react';
import type { ProvisioningModel } from '@/api/types';
import { cx } from '@/parts/cx';
import { Skeleton } from '@/parts/States';
import { type Drawing, layOut, nodeHeight, nodeWidth, type Way } from './layout';
import type { Standing } from './progress';
import s from './StateMachine.module.css';

const words: Record<Standing, string> = { reached: 'done', present: 'now', failed: 'failed', ahead: 'not reached' };

/**
 * A provisioning model as a drawing: states from above to below, the way on as a line, the way out as a dashed one. With the
 * standings of a run it shows how far that has come; each is told by its mark too, not by colour alone. With `onSelect` its
 * states can be chosen.
 */
export function StateMachine(props: Shown) {
  const { model } = props;
  const { data } = useQuery({
    queryKey: ['layout', shapeOf(model)],
    queryFn: () => layOut(model),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 30_000,
    // While a model is being written each letter may be another drawing.
    placeholderData: keepPreviousData,
  });
  if (!data) return <Skeleton lines={6} height={nodeHeight} />;
  return <Drawn drawing={data} {...props} />;
}

interface Shown {
  model: ProvisioningModel;
  standings?: Map<string, Standing>;
  taken?: Set<string>;
  selected?: string;
  onSelect?: (state: string) => void;
}

/** What the drawing of a model depends on. */
const shapeOf = (m: ProvisioningModel) =>
  JSON.stringify([m.start, ...(m.states ?? []).map((x) => [x.name, x.then, x.else, x.end, x.on?.map((o) => o.then)])]);

function Drawn({ drawing: d, model, standings, taken, selected, onSelect }: Shown & { drawing: Drawing }) {
  const states = new Map((model.states ?? []).map((x) => [x.name, x]));
  const label = standings
    ? `State machine ${model.id}: ${[...standings].map(([name, at]) => `${name} ${words[at]}`).join(', ')}`
    : `State machine ${model.id}: ${d.nodes.map((n) => n.name).join(', ')}`;
  // Ways that were taken lie above the others.
  const ways = [...d.ways].sort((a, b) => Number(wasTaken(a, taken)) - Number(wasTaken(b, taken)));
  return (
    <div className={s.box}>
      <svg
        role={onSelect ? 'group' : 'img'}
        aria-label={label}
        className={s.svg}
        viewBox={`0 0 ${d.width} ${d.height}`}
        width={d.width}
        height={d.height}
      >
        <defs>
          {['plain', 'taken'].map((kind) => (
            <marker
              key={kind}
              id={`castor-arrow-${kind}`}
              className={kind === 'taken' ? s.headTaken : s.head}
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="7"
              markerHeight="7"
              orient="auto"
            >
              <path d="M0 0 8 4 0 8z" />
            </marker>
          ))}
        </defs>
        {ways.map((w) => (
          <path
            key={`${w.from} ${w.to} ${w.otherwise}`}
            className={cx(s.way, w.otherwise && s.otherwise, wasTaken(w, taken) && s.taken)}
            d={w.path}
            markerEnd={`url(#castor-arrow-${wasTaken(w, taken) ? 'taken' : 'plain'})`}
          />
        ))}
        {d.nodes.map((n) => {
          const state = states.get(n.name);
          const at = standings?.get(n.name);
          const awaits = state?.await || state?.on?.map((o) => o.when).join(' or ');
          const does = state?.do ?? (awaits ? `awaits ${awaits}` : '');
          return (
            <g
              key={n.name}
              transform={`translate(${n.x - nodeWidth / 2} ${n.y - nodeHeight / 2})`}
              className={cx(
                s.node,
                at && s[at],
                state?.end && s.end,
                onSelect && s.choice,
                selected === n.name && s.selected,
              )}
              {...(onSelect && chosen(n.name, selected === n.name, onSelect))}
            >
              <title>{explain(n.name, state, at)}</title>
              <rect width={nodeWidth} height={nodeHeight} rx="8" />
              {at && <Mark at={at} />}
              <foreignObject x={at ? 34 : 14} width={nodeWidth - (at ? 34 : 14) - 8} height={nodeHeight}>
                <div className={s.words}>
                  <div className={s.name} dir="auto">
                    {state?.title || n.name}
                  </div>
                  {does && <div className={s.does}>{does}</div>}
                </div>
              </foreignObject>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

/** What makes a state one that can be chosen, by mouse and keyboard. Its name is its title's and its texts'. */
const chosen = (name: string, on: boolean, select: (state: string) => void) => ({
  role: 'button',
  tabIndex: 0,
  'aria-pressed': on,
  onClick: () => select(name),
  onKeyDown: (e: KeyboardEvent) => {
    if (e.key !== 'Enter' && e.key !== ' ') return;
    e.preventDefault();
    select(name);
  },
});

/** Told apart by shape: a tick, a filled point, a cross, a ring. */
function Mark({ at }: { at: Standing }) {
  return (
    <g className={s.mark} transform={`translate(18 ${nodeHeight / 2})`}>
      {at === 'present' && <circle className={s.pulse} r="8" />}
      <circle r={at === 'present' ? 5 : 8} />
      {at === 'reached' && <path d="M-3.5 0.2-1 2.8 3.6-2.4" />}
      {at === 'failed' && <path d="M-2.8-2.8 2.8 2.8M2.8-2.8-2.8 2.8" />}
    </g>
  );
}

const wasTaken = (w: Way, taken: Set<string> | undefined) => !!taken?.has(`${w.from}→${w.to}`);

function explain(name: string, state: NonNullable<ProvisioningModel['states']>[number] | undefined, at?: Standing) {
  const parts = [name];
  if (at) parts.push(words[at]);
  if (state?.do) parts.push(`does ${state.do}`);
  for (const o of state?.on ?? []) parts.push(`${o.when || 'done'}${o.if ? ` if ${o.if}` : ''} leads to ${o.then}`);
  if (state?.await) parts.push(`awaits ${state.await}${state.limit ? ` for at most ${state.limit}` : ''}`);
  if (state?.retries) parts.push(`${state.retries} retries`);
  if (state?.else) parts.push(`otherwise ${state.else}`);
  if (state?.end) parts.push(`ends as ${state.end}`);
  return parts.join(' · ');
}
