import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';
import { Button } from '@/parts/Button';
import { Dialog } from '@/parts/Dialog';
import { Select } from '@/parts/Field';
import { count } from '@/parts/format';
import { toast } from '@/parts/toast';
import s from './Delete.module.css';

const kinds = { instance: 'twin', type: 'type', aggregate: 'group' } as const;

/** Asks before a twin is deleted, and names what goes with it. */
export function Delete({ twin, onClose }: { twin: Twin; onClose: () => void }) {
  const [data, setData] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const queries = useQueryClient();
  const [, go] = useLocation();
  const instance = twin.kind === 'instance';

  const remove = async () => {
    setBusy(true);
    setError('');
    try {
      const query = data ? { data: data as 'archive' | 'erase' } : {};
      await ok(api.DELETE('/function/twins/twins/{id}', { params: { path: { id: twin.id }, query } }));
      toast.done(`${twin.definition.name || twin.id} is deleted`);
      go('/');
      queries.removeQueries({ queryKey: keys.twin(twin.id) });
      void queries.invalidateQueries({ queryKey: ['twins'] });
      void queries.invalidateQueries({ queryKey: ['counts'] });
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
      setBusy(false);
    }
  };

  return (
    <Dialog
      open
      onClose={onClose}
      title={`Delete this ${kinds[twin.kind]}?`}
      note={<bdi>{twin.definition.name ? `${twin.definition.name} (${twin.id})` : twin.id}</bdi>}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" onClick={remove} busy={busy}>
            Delete
          </Button>
        </>
      }
    >
      {instance ? (
        <>
          <ul className={s.lost}>
            <li>Its device is cut off: the certificate is revoked, and it has to be enrolled anew to come back.</li>
            <li>
              {count(twin.live.messages)} messages of history leave the platform
              {data === 'erase' ? ' for good.' : data === 'archive' ? ' for the archive.' : ', as its type says.'}
            </li>
            <li>Its open alarms end, and rules and grants of its own go.</li>
          </ul>
          <Select label="Its document and history" value={data} onChange={(e) => setData(e.target.value)}>
            <option value="">as its type says (archived where it says nothing)</option>
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
      {error && (
        <p role="alert" className={s.error}>
          {error}
        </p>
      )}
    </Dialog>
  );
}
