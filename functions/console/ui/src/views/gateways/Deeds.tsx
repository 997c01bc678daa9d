import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Gateway } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextField } from '@/parts/Field';
import { plural } from '@/parts/format';
import { toast } from '@/parts/toast';
import { allGateways, howMany, staying } from './gateways';
import { Staying } from './Staying';

/** Has all devices of a gateway get places elsewhere. */
export function Drain({ gateway: g, onClose }: { gateway: Gateway; onClose: () => void }) {
  const queries = useQueryClient();
  const [reason, setReason] = useState('');
  const devices = useQuery(howMany(g)).data ?? g.devices;
  const stay = staying(g, useQuery(allGateways).data ?? [], devices);
  const go = devices - (stay?.count ?? 0);
  const drain = async () => {
    const params = { path: { id: g.id } };
    const now = await ok(
      api.POST('/function/gateways/gateways/{id}/drain', { params, body: { reason: reason.trim() } }),
    );
    queries.setQueryData(keys.gateways({ id: g.id }), now);
    void queries.invalidateQueries({ queryKey: ['gateways'] });
    toast.done(`${g.id} is being drained`);
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Drain this gateway?"
      note={
        devices === 0
          ? 'It has no devices, and gets none.'
          : `It gets no devices any more. ${go > 0 ? `${plural(go, 'device')} of it get${go === 1 ? 's' : ''} places elsewhere: each is told here, and let in at both until it has arrived at the other.` : ''}`
      }
      verb="Drain"
      disabled={!reason.trim()}
      work={drain}
    >
      {stay && <Staying {...stay} />}
      <TextField
        label="Reason"
        hint="People see it where their devices are."
        placeholder="new kernel"
        maxLength={500}
        required
        value={reason}
        onChange={(e) => setReason(e.target.value)}
      />
    </ConfirmDialog>
  );
}

/** Ends a drain; devices that have left stay where they are. */
export function useResume(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => ok(api.POST('/function/gateways/gateways/{id}/resume', { params: { path: { id } } })),
    onSuccess: (now) => {
      queries.setQueryData(keys.gateways({ id }), now);
      void queries.invalidateQueries({ queryKey: ['gateways'] });
      toast.done(`${id} takes devices again`);
    },
  });
}

/** Takes a gateway that has stopped out of the list. */
export function Forget({ gateway: g, onClose }: { gateway: Gateway; onClose: () => void }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const forget = async () => {
    await ok(api.DELETE('/function/gateways/gateways/{id}', { params: { path: { id: g.id } } }));
    toast.done(`${g.id} is forgotten`);
    go('/gateways');
    void queries.invalidateQueries({ queryKey: ['gateways'] });
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Forget this gateway?"
      note="Only one that is not heard of any more and has no devices: drain it, and stop it, first. One that starts again is known again."
      verb="Forget"
      danger
      work={forget}
    >
      <code>{g.id}</code>
    </ConfirmDialog>
  );
}
