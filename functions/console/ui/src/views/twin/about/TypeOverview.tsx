import { Ruler } from 'lucide-react';
import type { Property, Twin } from '@/api/types';
import { Card, Facts } from '@/parts/Card';
import { unitSign, value } from '@/parts/format';
import { Empty } from '@/parts/States';
import s from './About.module.css';
import { Members } from './Members';

/** What a type says of all its devices. */
export default function TypeOverview({ twin }: { twin: Twin }) {
  const m = twin.definition.model ?? {};
  const properties = m.properties ?? [];
  return (
    <div className={s.page}>
      <Members filter={{ type: twin.id }} what="device" />
      <Card title="Properties" note={properties.length || undefined} flush>
        {properties.length === 0 ? (
          <Empty icon={<Ruler aria-hidden />} title="No property declared">
            Its devices may report anything. Declared properties have a unit and a range, and are known to charts and
            rules.
          </Empty>
        ) : (
          <div className={s.scroll}>
            <table className={s.table}>
              <thead>
                <tr>
                  <th>Property</th>
                  <th>Kind</th>
                  <th>Unit</th>
                  <th>Range</th>
                  <th>Note</th>
                </tr>
              </thead>
              <tbody>
                {properties.map((p) => (
                  <tr key={p.name}>
                    <th scope="row">
                      <bdi>{p.name}</bdi>
                    </th>
                    <td data-label="Kind">{p.type || 'number'}</td>
                    <td data-label="Unit" title={p.unit}>
                      {unitSign(p.unit) || '–'}
                    </td>
                    <td data-label="Range">{rangeOf(p)}</td>
                    <td data-label="Note" dir="auto">
                      {p.note}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Card>
      <Card title="How its devices are treated">
        <Facts
          items={[
            ['Provisioning model', m.provisioning || 'automatic'],
            ['Configuration template', m.template || 'none'],
            [
              'Offline after',
              m.offlineAfter ? `${m.offlineAfter} (${m.offlineSeverity || 'no'} alarm)` : 'the connection ends',
            ],
            ['When one is deleted', m.onDelete === 'erase' ? 'its data is erased' : 'its data is archived'],
          ]}
        />
      </Card>
    </div>
  );
}

function rangeOf(p: Property): string {
  if (p.min === undefined && p.max === undefined) return '–';
  return `${p.min === undefined ? '' : value(p.min)} … ${p.max === undefined ? '' : value(p.max)}`.trim();
}
