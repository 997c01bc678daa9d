import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { Failure, Skeleton } from '@/parts/States';
import s from './Help.module.css';
import { comes, does, guideOf, sees } from './help';

/** What may stand in a model: beside the text, so that nobody has to leave it. */
export function Help() {
  const schema = useQuery({
    queryKey: ['model-schema'],
    queryFn: ({ signal }) => ok(api.GET('/function/twin-provision/models/schema', { parseAs: 'json', signal })),
    select: guideOf,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (schema.isError) return <Failure error={schema.error} retry={() => void schema.refetch()} />;
  if (!schema.data) return <Skeleton lines={8} />;
  const { actions, triggers, fields } = schema.data;
  return (
    <div className={s.help}>
      <p>
        A run begins in the state <code>start</code>. A state does an action, waits for something, or ends the run.
      </p>
      <section>
        <h3>A state</h3>
        <dl>
          {fields.map((f) => (
            <div key={f.name}>
              <dt>
                <code>{f.name}</code>
              </dt>
              <dd>{f.about || (f.name === 'end' ? 'completed or rejected' : 'its name, which others lead to')}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section>
        <h3>Actions</h3>
        <dl>
          {actions.map((a) => (
            <div key={a.name}>
              <dt>
                <code>{a.name}</code>
              </dt>
              <dd>
                {does[a.name]}
                {a.with.map((p) => (
                  <span key={p.name} className={s.parameter}>
                    <code>{p.name}</code>
                    {p.required && ' (needed)'}: {p.about}
                    {p.values.length > 0 && ` ${p.values.join(', ')}.`}
                  </span>
                ))}
              </dd>
            </div>
          ))}
        </dl>
      </section>
      <section>
        <h3>Triggers</h3>
        <dl>
          {triggers.map((t) => (
            <div key={t}>
              <dt>
                <code>{t}</code>
              </dt>
              <dd>{comes[t]}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section>
        <h3>What a condition sees</h3>
        <p>
          Conditions are CEL, like <code>facts.firmware == "2"</code>. What is not known is <code>""</code>. What a
          device says of itself proves nothing: it may choose a way, not let anybody in.
        </p>
        <dl>
          {sees.map(([name, of]) => (
            <div key={name}>
              <dt>
                <code>{name}</code>
              </dt>
              <dd>{of}</dd>
            </div>
          ))}
        </dl>
      </section>
    </div>
  );
}
