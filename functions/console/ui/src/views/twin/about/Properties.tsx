import type { Property } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { unitSign, value } from '@/parts/format';
import s from './About.module.css';

/** The properties that a type declares. */
export function Properties({ of }: { of: readonly Property[] }) {
  return (
    <div className={s.scroll}>
      <table className={s.table}>
        <thead>
          <tr>
            <th>Property</th>
            <th>Kind</th>
            <th>Unit</th>
            <th>Values</th>
            <th>Meaning</th>
          </tr>
        </thead>
        <tbody>
          {of.map((p) => (
            <tr key={p.name}>
              <th scope="row">
                <bdi>{p.name}</bdi>{' '}
                {!!p.id && (
                  <span className={s.id} title="its number in the compact form">
                    #{p.id}
                  </span>
                )}
              </th>
              <td data-label="Kind">
                {p.type || 'number'} {p.writable && <Badge tone="accent">can be set</Badge>}
              </td>
              <td data-label="Unit" title={p.unit}>
                {unitSign(p.unit)}
              </td>
              <td data-label="Values">{valuesOf(p)}</td>
              <td data-label="Meaning" dir="auto">
                {p.note}
                {p.semantic && <code className={s.semantic}>{p.semantic}</code>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const mostValues = 8; // that are told

/** Which values there are: a few, or a range. */
function valuesOf(p: Property): string {
  if (p.enum?.length) {
    const told = p.enum.slice(0, mostValues).map((v) => (typeof v === 'string' ? v : value(v)));
    const more = p.enum.length - told.length;
    return told.join(', ') + (more > 0 ? ` and ${more} more` : '');
  }
  if (p.min === undefined && p.max === undefined) return '';
  return `${p.min === undefined ? '' : value(p.min)} … ${p.max === undefined ? '' : value(p.max)}`.trim();
}
