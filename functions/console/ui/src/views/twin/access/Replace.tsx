import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { api, ok } from '@/api/client';
import type { Twin } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextField } from '@/parts/Field';
import { toast } from '@/parts/toast';
import { addressOf } from '@/views/enrol/address';
import s from './Access.module.css';

const nothing = { serial: '', mac: '', model: '', maker: '', reason: '' };

/** Lets a new device take over a twin; then it comes in by a claim, as any. */
export function Replace({ twin, onClose }: { twin: Twin; onClose: () => void }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [v, setV] = useState(nothing);
  const field = (name: keyof typeof nothing, label: string, maxLength: number, hint?: string) => (
    <TextField
      label={label}
      hint={hint}
      maxLength={maxLength}
      dir="auto"
      required={name === 'serial' || name === 'reason'}
      value={v[name]}
      onChange={(e) => setV({ ...v, [name]: e.target.value })}
    />
  );
  const replace = async () => {
    const given = Object.fromEntries(
      Object.entries(v)
        .map(([name, text]) => [name, text.trim()])
        .filter(([, text]) => text),
    );
    const body = { twin: twin.id, serial: v.serial.trim(), reason: v.reason.trim(), ...given };
    await ok(api.POST('/function/twin-provision/replacements', { body }));
    for (const word of ['twin', 'twins', 'runs', 'places', 'credentials'])
      void queries.invalidateQueries({ queryKey: [word] });
    const { type } = twin.definition;
    toast.done(`${v.serial.trim()} takes over: make a claim for it`);
    if (type) go(addressOf({ step: 'device', type }));
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Replace the device of this twin?"
      verb="Replace"
      danger
      disabled={!v.serial.trim() || !v.reason.trim()}
      work={replace}
    >
      <ul className={s.lost}>
        <li>The twin keeps its id, its history and its configuration.</li>
        <li>The old device is cut off, and refused from now on.</li>
        <li>The new device comes in by a claim, as any other.</li>
      </ul>
      {field('serial', 'Serial of the new device', 64)}
      <div className={s.fields}>
        {field('mac', 'MAC address', 64)}
        {field('model', 'Model', 256)}
        {field('maker', 'Maker', 256)}
      </div>
      {field('reason', 'Reason', 256, 'For the audit.')}
    </ConfirmDialog>
  );
}
