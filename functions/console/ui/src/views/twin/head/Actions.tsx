import { ChevronDown, Pencil, Radio, SlidersHorizontal, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useLocation } from 'wouter';
import type { Twin } from '@/api/types';
import { Button, ButtonLink } from '@/parts/Button';
import { Menu, MenuItem, MenuLabel, MenuLine } from '@/parts/Menu';
import { mayNotWrite, useMayWrite } from '@/parts/may';
import { has, useUser } from '@/parts/useUser';
import { Ping } from '../commands/Ping';
import { Delete } from './Delete';
import { Edit } from './Edit';

/** What can be done with a twin. */
export function Actions({ twin }: { twin: Twin }) {
  const [open, setOpen] = useState<'' | 'edit' | 'ping' | 'delete'>('');
  const [, go] = useLocation();
  const may = has(useUser(), 'maintainer', 'configurator', 'owner');
  const mayWrite = useMayWrite(twin.id, twin.definition.owner);
  const close = () => setOpen('');
  const instance = twin.kind === 'instance';
  const id = encodeURIComponent(twin.id);
  return (
    <>
      {twin.kind === 'type' && <ButtonLink href={`/?type=${id}`}>Its devices</ButtonLink>}
      {twin.kind === 'aggregate' && <ButtonLink href={`/?aggregate=${id}`}>Its members</ButtonLink>}
      <Menu
        trigger={
          <Button>
            Actions <ChevronDown aria-hidden />
          </Button>
        }
      >
        {!mayWrite && <MenuLabel>{mayNotWrite}</MenuLabel>}
        <MenuItem
          disabled={!mayWrite}
          icon={<SlidersHorizontal aria-hidden />}
          onSelect={() => go(`/rules/new?twin=${id}`)}
        >
          Set a threshold…
        </MenuItem>
        {instance && (
          <MenuItem disabled={!mayWrite} icon={<Radio aria-hidden />} onSelect={() => setOpen('ping')}>
            Ping the device
          </MenuItem>
        )}
        <MenuItem disabled={!mayWrite} icon={<Pencil aria-hidden />} onSelect={() => setOpen('edit')}>
          Name and tags…
        </MenuItem>
        {may && mayWrite && (
          <>
            <MenuLine />
            <MenuItem icon={<Trash2 aria-hidden />} danger onSelect={() => setOpen('delete')}>
              Delete…
            </MenuItem>
          </>
        )}
      </Menu>
      {open === 'edit' && <Edit twin={twin} onClose={close} />}
      {open === 'ping' && <Ping twin={twin.id} onClose={close} />}
      {open === 'delete' && <Delete twin={twin} onClose={close} />}
    </>
  );
}
