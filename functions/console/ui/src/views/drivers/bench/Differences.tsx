import type { Difference } from '@/api/types';
import { apart } from './apart';
import s from './Differences.module.css';

/** Where a result is not what a test wants: what was wanted beside what came, the part that differs marked. */
export function Differences({ of, label }: { of: readonly Difference[]; label: string }) {
  return (
    <table className={s.table} aria-label={label}>
      <thead>
        <tr>
          <th scope="col">Where</th>
          <th scope="col">Wanted</th>
          <th scope="col">Got</th>
        </tr>
      </thead>
      <tbody>
        {of.map((d) => {
          const { head, want, got, tail } = apart(d.want, d.got);
          return (
            <tr key={d.path}>
              <th scope="row">
                <code>{d.path}</code>
              </th>
              <td data-label="Wanted">
                <code>
                  {head}
                  <mark className={s.want}>{want}</mark>
                  {tail}
                </code>
              </td>
              <td data-label="Got">
                <code>
                  {head}
                  <mark className={s.got}>{got}</mark>
                  {tail}
                </code>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
