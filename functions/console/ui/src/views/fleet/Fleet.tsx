import { Plus } from 'lucide-react';
import { lazy, Suspense } from 'react';
import { ButtonLink } from '@/parts/Button';
import { Page } from '@/parts/Page';
import { Skeleton } from '@/parts/States';
import { Figures } from './Figures';
import { FleetTable } from './FleetTable';
import { useFilters } from './useFilters';
import { useCounts } from './useRows';

const FirstUse = lazy(() => import('@/views/first-use/FirstUse'));

/** All that the platform knows of the fleet: figures above, the twins below. Without any device it says how to get one. */
export default function Fleet() {
  const filters = useFilters();
  const counts = useCounts().data;
  const none = counts?.instances === 0 && !filters.any && filters.kind === 'devices';
  return (
    <Page
      title="Fleet"
      actions={
        <ButtonLink kind="primary" href="/enrol" icon={<Plus aria-hidden />}>
          Enrol a device
        </ButtonLink>
      }
    >
      {none ? (
        <Suspense fallback={<Skeleton lines={4} />}>
          <FirstUse />
        </Suspense>
      ) : (
        <>
          <Figures filters={filters} />
          <FleetTable filters={filters} />
        </>
      )}
    </Page>
  );
}
