import { useQuery } from '@tanstack/react-query';
import { oneTwin } from '@/api/reads';
import type { Twin } from '@/api/types';
import { Parked } from '@/views/drivers/parked/Parked';
import s from '../about/About.module.css';
import { Adopt } from './Adopt';

/** What a device sent and could not be read. */
export default function TwinParked({ twin }: { twin: Twin }) {
  const type = useQuery({ ...oneTwin(twin.definition.type ?? ''), staleTime: 60_000 }).data;
  return (
    <div className={s.page}>
      <Parked of={{ twin: twin.id }} redrive={{ twin: twin.id }} driver={type?.definition.model?.driver} />
      <Adopt twin={twin} />
    </div>
  );
}
