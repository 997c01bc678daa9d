import { Ruler } from 'lucide-react';
import type { Twin } from '@/api/types';
import { Card, Facts } from '@/parts/Card';
import { Empty } from '@/parts/States';
import s from './About.module.css';
import { ExportModel } from './ExportModel';
import { Interactions } from './Interactions';
import { Members } from './Members';
import { Properties } from './Properties';

/** What a type says of all its devices. */
export default function TypeOverview({ twin }: { twin: Twin }) {
  const m = twin.definition.model ?? {};
  const properties = m.properties ?? [];
  return (
    <div className={s.page}>
      <Members filter={{ type: twin.id }} what="device" />
      <Card title="Properties" note={properties.length || undefined} flush actions={<ExportModel type={twin.id} />}>
        {properties.length === 0 ? (
          <Empty icon={<Ruler aria-hidden />} title="No property declared">
            Its devices may report anything. Declared properties have a unit and a range, and are known to charts and
            rules.
          </Empty>
        ) : (
          <Properties of={properties} />
        )}
      </Card>
      <Interactions title="Commands" of={m.commands} />
      <Interactions title="Events" of={m.events} />
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
