import type { Run } from '@/api/types';
import { Card } from '@/parts/Card';
import { lastRound, standings, taken } from './progress';
import s from './RunBody.module.css';
import { StateMachine } from './StateMachine';
import { Steps } from './Steps';
import { titleOf } from './words';

/** A run's model with how far it has come, and its log. */
export function RunBody({ run }: { run: Run }) {
  const { round, earlier, since } = roundOf(run);
  const name = (state: string) => titleOf(run.model, state);
  return (
    <div className={s.split}>
      <Card title="State machine" note={`${run.model.id}, version ${run.model.version}`}>
        <StateMachine model={run.model} standings={standings(run)} taken={taken(run)} />
      </Card>
      <Card title="Steps" note={run.round > 1 ? `round ${run.round}` : undefined}>
        {round.length > 0 ? (
          <Steps steps={round} since={since} name={name} />
        ) : (
          <p className={s.note}>Nothing has happened yet.</p>
        )}
        {earlier.length > 0 && (
          <details className={s.earlier}>
            <summary>Earlier rounds ({earlier.length} steps)</summary>
            <Steps steps={earlier} since={run.created} name={name} />
          </details>
        )}
      </Card>
    </div>
  );
}

/** The steps of the round that counts, those before it, and when it began. */
export function roundOf(run: Run) {
  const round = lastRound(run.steps);
  const earlier = run.steps.slice(0, run.steps.length - round.length);
  return { round, earlier, since: earlier.length ? (round[0]?.at ?? run.created) : run.created };
}
