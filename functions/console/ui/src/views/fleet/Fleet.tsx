import { Plus } from 'lucide-react';
import { ButtonLink } from '@/parts/Button';
import { later } from '@/parts/later';
import { Page } from '@/parts/Page';
import { Figures } from './Figures';
import { FleetTable } from './FleetTable';
import { useFilters } from './useFilters';
import { useCounts } from './useRows';

const { Part: FirstUse } = later(() => import('@/views/first-use/FirstUse'));

/** All that the platform knows of the fleet: figures above, the twins below. Without any device it says how to get one. */
export default function Fleet() {
  const filters = useFilters();
  const counts = useCounts().data;
  const none = counts?.instances === 0 && !filters.any && filters.kind === 'devices';
  return (
    <Page
      title={filters.kind === 'types' ? 'Types' : 'Fleet'}
      actions={
        <ButtonLink kind="primary" href="/enrol" icon={<Plus aria-hidden />}>
          Enrol a device
        </ButtonLink>
      }
    >
      {none ? (
        <FirstUse />
      ) : (
        <>
          <Figures filters={filters} />
          <FleetTable filters={filters} />
        </>
      )}
    </Page>
  );
}
