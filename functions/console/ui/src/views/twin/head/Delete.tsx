import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { Select } from '@/parts/Field';
import { count } from '@/parts/format';
import { toast } from '@/parts/toast';
import { kindWord } from '@/parts/words';
import s from './Delete.module.css';

/** What becomes of the data of a deleted twin; '' is as its type says. */
type Data = '' | 'archive' | 'erase';

/** Asks before a twin is deleted, and names what goes with it. */
export function Delete({ twin, onClose }: { twin: Twin; onClose: () => void }) {
  const [data, setData] = useState<Data>('');
  const queries = useQueryClient();
  const [, go] = useLocation();

  const remove = async () => {
    const query = data ? { data } : {};
    await ok(api.DELETE('/function/twins/twins/{id}', { params: { path: { id: twin.id }, query } }));
    toast.done(`${twin.definition.name || twin.id} is deleted`);
    go('/');
    queries.removeQueries({ queryKey: keys.twin(twin.id) });
    void queries.invalidateQueries({ queryKey: ['twins'] });
    void queries.invalidateQueries({ queryKey: ['counts'] });
  };

  return (
    <ConfirmDialog
      onClose={onClose}
      title={`Delete this ${twin.kind === 'instance' ? 'twin' : kindWord(twin.kind)}?`}
      note={<bdi>{twin.definition.name ? `${twin.definition.name} (${twin.id})` : twin.id}</bdi>}
      verb="Delete"
      danger
      work={remove}
    >
      {twin.kind === 'instance' ? (
        <>
          <ul className={s.lost}>
            <li>Its device is cut off: the certificate is revoked, and it has to be enrolled anew to come back.</li>
            <li>
              {count(twin.live.messages)} messages of history leave the platform
              {data === 'erase'
                ? ' for good.'
                : data === 'archive'
                  ? ' for the archive.'
                  : ', to be archived or erased, whichever its type sets.'}
            </li>
            <li>Its open alarms end, and rules and grants of its own go.</li>
          </ul>
          <Select label="Its document and history" value={data} onChange={(e) => setData(e.target.value as Data)}>
            <option value="">what its type sets, else archive</option>
            <option value="archive">archive</option>
            <option value="erase">erase for good</option>
          </Select>
        </>
      ) : (
        <ul className={s.lost}>
          <li>
            {twin.kind === 'type'
              ? 'What it says of its devices goes: properties, ranges, its provisioning.'
              : 'Its members stay; they are no longer together.'}
          </li>
          <li>Rules that watch it go, and alarms they raised end.</li>
          <li>It is refused while {twin.kind === 'type' ? 'devices of this type exist.' : 'it has members.'}</li>
        </ul>
      )}
    </ConfirmDialog>
  );
}
