import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { api, ok } from '@/api/client';
import { relayedBy } from '@/api/reads';
import type { NewDecommission, Twin } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { Select, TextField } from '@/parts/Field';
import { count, plural } from '@/parts/format';
import { twinHref } from '@/parts/links';
import { toast } from '@/parts/toast';
import s from './Access.module.css';

/** Asks before a device's access is taken away everywhere and its twin is deleted; then its proof is shown. */
export function Decommission({ twin, onClose }: { twin: Twin; onClose: () => void }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [data, setData] = useState<NonNullable<NewDecommission['data']>>('');
  const [reason, setReason] = useState('');
  const [along, setAlong] = useState(false);
  const { data: relayed, isPending } = useQuery(relayedBy(twin.id));
  const devices = relayed?.items.length ?? 0;
  const many = plural(devices, 'device');
  const act = async () => {
    const params = { path: { id: twin.id } };
    const body = { data, reason: reason.trim(), ...(along && { withDevices: true }) };
    await ok(api.POST('/function/twins/twins/{id}/decommission', { params, body }));
    toast.done(`${twin.definition.name || twin.id} is being decommissioned`);
    for (const word of ['twin', 'twins', 'counts', 'places', 'credentials', 'decommission'])
      void queries.invalidateQueries({ queryKey: [word] });
    go(twinHref(twin.id));
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Decommission this device?"
      note={<bdi>{twin.definition.name ? `${twin.definition.name} (${twin.id})` : twin.id}</bdi>}
      verb={along ? `Decommission with ${many}` : 'Decommission'}
      danger
      disabled={!reason.trim() || isPending || (devices > 0 && !along)}
      work={act}
    >
      <ul className={s.lost}>
        <li>Its access is taken away everywhere first: credentials end, every gateway refuses it.</li>
        <li>
          Then {count(twin.live.messages)} messages of history are{' '}
          {data === 'erase'
            ? 'erased for good'
            : data === 'archive'
              ? 'archived'
              : 'archived or erased, as its type says'}
          , and its twin is deleted.
        </li>
        <li>The proof of what ended when is kept, at this page’s address.</li>
      </ul>
      {devices > 0 && (
        <label className={s.along}>
          <input type="checkbox" checked={along} onChange={(e) => setAlong(e.target.checked)} />
          <span>
            The {relayed?.next ? `more than ${many}` : many} that it speaks for {devices === 1 ? 'goes' : 'go'} along.
            Nobody could reach {devices === 1 ? 'it' : 'them'} without this one; to keep{' '}
            {devices === 1 ? 'it, have another speak for it' : 'them, have another speak for them'} first:{' '}
            <code>castor device move</code>
          </span>
        </label>
      )}
      <Select label="Its data" value={data} onChange={(e) => setData(e.target.value as typeof data)}>
        <option value="">as its type says</option>
        <option value="archive">archive</option>
        <option value="erase">erase for good</option>
      </Select>
      <TextField
        label="Reason"
        hint="For the proof."
        maxLength={500}
        required
        value={reason}
        onChange={(e) => setReason(e.target.value)}
      />
    </ConfirmDialog>
  );
}
