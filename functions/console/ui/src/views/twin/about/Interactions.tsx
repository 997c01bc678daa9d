import type { CommandModel, EventModel } from '@/api/types';
import { Card } from '@/parts/Card';
import { CodeBlock } from '@/parts/Copy';
import s from './About.module.css';

const parts = ['input', 'output', 'data'] as const;

/** The commands or events that a type declares, with the form of what goes along; nothing where there are none. */
export function Interactions({ title, of = [] }: { title: string; of?: readonly (CommandModel & EventModel)[] }) {
  if (of.length === 0) return null;
  return (
    <Card title={title} note={of.length} flush>
      <ul>
        {of.map((i) => (
          <li key={i.name} className={s.interaction}>
            <p>
              <b>
                <bdi>{i.name}</bdi>
              </b>{' '}
              <span dir="auto">{i.note}</span> {i.semantic && <code className={s.semantic}>{i.semantic}</code>}
            </p>
            {parts.map(
              (part) =>
                i[part] !== undefined &&
                i[part] !== null && (
                  <details key={part}>
                    <summary>{part}</summary>
                    <CodeBlock label={`${part} of ${i.name}`} code={JSON.stringify(i[part], null, 2)} />
                  </details>
                ),
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}
