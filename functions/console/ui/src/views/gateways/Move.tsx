import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '@/api/client';
import type { Assignment } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { Select, TextField } from '@/parts/Field';
import { count } from '@/parts/format';
import { toast } from '@/parts/toast';
import { allGateways, protocolName, stale, takes } from './gateways';

/** Gives a device a place at another gateway; it is let in at both until it has arrived. */
export function Move({ place, onClose }: { place: Assignment; onClose: () => void }) {
  const queries = useQueryClient();
  const gateways = useQuery(allGateways);
  const [to, setTo] = useState('');
  const [reason, setReason] = useState('');
  const here = gateways.data?.find((g) => g.id === place.gateway);
  const others = (gateways.data ?? []).filter((g) => g.id !== place.gateway && takes(g, here?.protocol));
  const move = async () => {
    const body = { reason: reason.trim(), ...(to && { gateway: to }) };
    const params = { path: { ref: place.ref } };
    const now = await ok(api.POST('/function/gateways/assignments/{ref}/move', { params, body }));
    toast.done(`${place.twin} has its place at ${now.gateway}`);
    for (const queryKey of stale) void queries.invalidateQueries({ queryKey: [...queryKey] });
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Move the device?"
      note={
        <>
          <bdi>{place.twin}</bdi> is told at <bdi>{place.gateway}</bdi>, and let in at both until it has arrived.
        </>
      }
      verb="Move"
      disabled={!reason.trim()}
      work={move}
    >
      <Select
        label="To"
        value={to}
        onChange={(e) => setTo(e.target.value)}
        hint={
          gateways.data && others.length === 0
            ? `There is no other gateway for ${here ? protocolName(here.protocol) : 'its protocol'} that takes devices.`
            : undefined
        }
      >
        <option value="">the best of the others</option>
        {others.map((g) => (
          <option key={g.id} value={g.id}>
            {g.id} ({g.region ? `${g.region}, ` : ''}
            {count(g.devices)} devices)
          </option>
        ))}
      </Select>
      <TextField
        label="Reason"
        hint="Stands where the device’s place is shown."
        maxLength={500}
        required
        value={reason}
        onChange={(e) => setReason(e.target.value)}
      />
    </ConfirmDialog>
  );
}
