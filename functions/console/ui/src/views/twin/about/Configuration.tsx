import { FileText } from 'lucide-react';
import type { Twin } from '@/api/types';
import { Card } from '@/parts/Card';
import { CodeBlock } from '@/parts/Copy';
import { Empty } from '@/parts/States';
import { Time } from '@/parts/Time';

/** The configuration as it was rendered for this device, and from what. */
export default function Configuration({ twin }: { twin: Twin }) {
  const c = twin.definition.configuration;
  if (!c) {
    return (
      <Empty icon={<FileText aria-hidden />} title="No configuration">
        A type that names a template gives each of its devices one, made when it is provisioned.
      </Empty>
    );
  }
  return (
    <Card
      title="Configuration"
      note={
        <>
          template <bdi>{c.template}</bdi>, version {c.version}, rendered <Time at={c.rendered} />
        </>
      }
    >
      <CodeBlock code={c.content} label="configuration" />
    </Card>
  );
}
