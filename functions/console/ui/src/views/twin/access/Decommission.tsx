import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { api, ok } from '@/api/client';
import type { NewDecommission, Twin } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { Select, TextField } from '@/parts/Field';
import { count } from '@/parts/format';
import { twinHref } from '@/parts/links';
import { toast } from '@/parts/toast';
import s from './Access.module.css';

/** Asks before a device's access is taken away everywhere and its twin is deleted; then its proof is shown. */
export function Decommission({ twin, onClose }: { twin: Twin; onClose: () => void }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [data, setData] = useState<NonNullable<NewDecommission['data']>>('');
  const [reason, setReason] = useState('');
  const act = async () => {
    const params = { path: { id: twin.id } };
    const body = { data, reason: reason.trim() };
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
      verb="Decommission"
      danger
      disabled={!reason.trim()}
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
