import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError, api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import { oneTwin } from '@/api/reads';
import type { DefinitionChange, Twin } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { Select, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';
import { toast } from '@/parts/toast';
import { allDrivers, unreadBy } from '@/views/drivers/drivers';
import { stale } from '../useEdit';
import { formats } from './formats';

/** Which driver, or which format, reads what devices of a type send. */
export function ChooseDriver({ type, onClose }: { type: Twin; onClose: () => void }) {
  const queries = useQueryClient();
  const found = useQuery(allDrivers);
  // What was read when the dialog was opened: a change of somebody else's meanwhile is not written over unseen.
  const [read, setRead] = useState(type);
  const m = read.definition.model ?? {};
  const [driver, setDriver] = useState(m.driver ?? '');
  const [firmware, setFirmware] = useState(m.firmware ?? '');
  const [normalised, setNormalised] = useState(m.normalised ?? false);
  const [reacts, setReacts] = useState(m.reacts ?? false);
  const [format, setFormat] = useState<string>(m.format ?? '');
  const names = [...new Set([...(found.data ?? []).map((d) => d.name), ...(m.driver ? [m.driver] : [])])].sort();
  const chosen = found.data?.find((d) => d.name === driver);
  const unread = chosen && unreadBy(chosen, type.definition.owner);
  const save = async () => {
    const change = driver
      ? {
          driver,
          firmware: firmware.trim() || null,
          normalised: normalised || null,
          reacts: reacts || null,
          format: null,
        }
      : { driver: null, firmware: null, normalised: null, reacts: null, format: format || null };
    try {
      const now = await ok(
        api.PATCH('/function/twins/twins/{id}/definition', {
          params: { path: { id: type.id }, header: { 'If-Match': `"${read.definition.version}"` } },
          body: { model: change as object as DefinitionChange['model'] },
        }),
      );
      queries.setQueryData(keys.twin(type.id), now);
      void queries.invalidateQueries({ queryKey: ['twins'] });
      toast.done(driver ? `Read by ${driver} from now on` : 'Read without a driver from now on');
    } catch (e) {
      if (!(e instanceof ApiError && e.status === stale)) throw e;
      setRead(await queries.fetchQuery({ ...oneTwin(type.id), staleTime: 0 }));
      throw new ApiError(stale, 'Somebody else has changed this type meanwhile. Save again if this is still right.');
    }
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="How are payloads of its devices read?"
      note="It counts for what comes from now on, also from devices that are connected. What is parked is read anew by a redrive."
      verb="Save"
      work={save}
    >
      <Select
        label="Driver"
        value={driver}
        hint={unread && `What its devices send is parked as it is. ${unread.why} ${unread.remedy}`}
        error={found.isError ? 'The drivers could not be read; the one that is set can stay.' : undefined}
        onChange={(e) => setDriver(e.target.value)}
      >
        <option value="">none: by a format</option>
        {names.map((n) => (
          <option key={n} value={n}>
            {n}
          </option>
        ))}
      </Select>
      {driver ? (
        <>
          <TextField
            label="Property with the firmware version"
            hint="By its value a device gets its version of the driver; as long as it has told none, every version fits."
            placeholder="firmware"
            maxLength={128}
            value={firmware}
            onChange={(e) => setFirmware(e.target.value)}
          />
          <label className={form.check}>
            <input type="checkbox" checked={normalised} onChange={(e) => setNormalised(e.target.checked)} />
            The common names count that it gives values (normalizeUplink), where it does
          </label>
          <label className={form.check}>
            <input type="checkbox" checked={reacts} onChange={(e) => setReacts(e.target.checked)} />
            It may react to what devices say and send them commands (on_event), where it does
          </label>
        </>
      ) : (
        <Select label="Format" value={format} onChange={(e) => setFormat(e.target.value)}>
          {formats.map(([id, words]) => (
            <option key={id} value={id}>
              {words}
            </option>
          ))}
        </Select>
      )}
    </ConfirmDialog>
  );
}
