import { useQuery } from '@tanstack/react-query';
import { Plus, Workflow } from 'lucide-react';
import { Link } from 'wouter';
import type { ProvisioningModel } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Listed } from '@/parts/Listed';
import { Page } from '@/parts/Page';
import { RowTable } from '@/parts/RowTable';
import { Empty } from '@/parts/States';
import { Time } from '@/parts/Time';
import { useKinds } from '@/parts/useKinds';
import s from './Models.module.css';
import { allModels, modelHref, shipped, type Use, usesOf } from './models';
import { Uses } from './Uses';

/** The provisioning models: by which steps devices come in, and which types use which. */
export default function Models() {
  const models = useQuery(allModels);
  const uses = usesOf(useKinds().values());
  const found = [...(models.data ?? [])].sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  return (
    <Page
      title="Provisioning models"
      note="By which steps devices come in. A type names its model, and others by condition."
      actions={
        <ButtonLink href="/new-model" kind="primary" icon={<Plus aria-hidden />}>
          New model
        </ButtonLink>
      }
    >
      <Card flush label="Models">
        <Listed
          query={models}
          count={found.length}
          height={48}
          what="The models could not be read"
          empty={<Empty icon={<Workflow aria-hidden />} title="No model" />}
        >
          <RowTable className={s.table}>
            <thead>
              <tr>
                <th scope="col">Model</th>
                <th scope="col">Version</th>
                <th scope="col">States</th>
                <th scope="col">Used by</th>
                <th scope="col">Changed</th>
              </tr>
            </thead>
            <tbody>
              {found.map((m) => (
                <Row key={m.id} model={m} uses={uses.get(m.id) ?? []} />
              ))}
            </tbody>
          </RowTable>
        </Listed>
      </Card>
    </Page>
  );
}

/** Those that come with the platform first. */
const rank = (m: ProvisioningModel) => (shipped.includes(m.id) ? shipped.indexOf(m.id) : shipped.length);

function Row({ model: m, uses }: { model: ProvisioningModel; uses: Use[] }) {
  return (
    <tr>
      <td className={s.which}>
        <span className={s.line}>
          <Link href={modelHref(m.id)} className={s.name}>
            <bdi>{m.id}</bdi>
          </Link>
          {shipped.includes(m.id) && <Badge>ships with Castor</Badge>}
          {m.type && (
            <Badge tone="info">
              only <bdi>{m.type}</bdi>
            </Badge>
          )}
        </span>
        {m.note && (
          <span className={s.note} dir="auto" title={m.note}>
            {m.note}
          </span>
        )}
      </td>
      <td className={s.version}>
        <span className={s.phone}>version </span>
        {m.version}
      </td>
      <td className={s.states}>
        {m.states?.length ?? 0}
        <span className={s.phone}> states</span>
      </td>
      <td className={s.uses}>
        {uses.length === 0 ? <span className={s.none}>no type</span> : <Uses uses={uses} most={4} />}
      </td>
      <td className={s.when}>
        <Time at={m.updated} never="–" />
      </td>
    </tr>
  );
}
