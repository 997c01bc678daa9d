import { useQuery, useQueryClient } from '@tanstack/react-query';
import { ArrowUp, Plus, X } from 'lucide-react';
import { useState } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Choice, DefinitionChange, Twin } from '@/api/types';
import { Button, IconButton } from '@/parts/Button';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { Select, TextField } from '@/parts/Field';
import { toast } from '@/parts/toast';
import { allModels } from '@/views/models/models';
import s from './Choices.module.css';

interface Row extends Choice {
  key: number;
}

/** Which model devices of a type go through: the first whose condition holds, else the one at the end. */
export function Choices({ type, onClose }: { type: Twin; onClose: () => void }) {
  const queries = useQueryClient();
  const models = useQuery(allModels);
  const { provisioning = '', choices } = type.definition.model ?? {};
  const [otherwise, setOtherwise] = useState(provisioning || 'automatic');
  const [rows, setRows] = useState<Row[]>(() => (choices ?? []).map((c, key) => ({ ...c, key })));
  const [next, setNext] = useState(rows.length);
  const ids = (models.data ?? []).filter((m) => !m.type || m.type === type.id).map((m) => m.id);
  // One that is named and not there any more is shown still.
  const options = [...new Set([...ids, otherwise, ...rows.map((r) => r.model)])];
  const set = (key: number, change: Partial<Choice>) =>
    setRows(rows.map((r) => (r.key === key ? { ...r, ...change } : r)));
  const raise = (i: number) => setRows([...rows.slice(0, i - 1), rows[i]!, rows[i - 1]!, ...rows.slice(i + 1)]);
  const list = options.map((id) => (
    <option key={id} value={id}>
      {id}
    </option>
  ));
  const save = async () => {
    const wanted = rows.map((r) => ({ if: r.if.trim(), model: r.model }));
    const change = { provisioning: otherwise, choices: wanted.length ? wanted : null };
    const now = await ok(
      api.PATCH('/function/twins/twins/{id}/definition', {
        params: { path: { id: type.id }, header: { 'If-Match': `"${type.definition.version}"` } },
        body: { model: change as object as DefinitionChange['model'] },
      }),
    );
    queries.setQueryData(keys.twin(type.id), now);
    void queries.invalidateQueries({ queryKey: ['twins'] });
    toast.done('The models are set');
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Which model do its devices go through?"
      note="The first whose condition holds, looked at from above. Devices under way keep theirs."
      verb="Save"
      disabled={rows.some((r) => !r.if.trim())}
      work={save}
    >
      {rows.length > 0 && (
        <ol className={s.rows}>
          {rows.map((r, i) => (
            <li key={r.key} className={s.row}>
              <TextField
                label={`Condition ${i + 1}`}
                className={s.code}
                placeholder='claim.batch == "returns"'
                maxLength={1000}
                value={r.if}
                onChange={(e) => set(r.key, { if: e.target.value })}
              />
              <Select label={`Model ${i + 1}`} value={r.model} onChange={(e) => set(r.key, { model: e.target.value })}>
                {list}
              </Select>
              <div className={s.deeds}>
                <IconButton label={`Look at condition ${i + 1} earlier`} disabled={i === 0} onClick={() => raise(i)}>
                  <ArrowUp aria-hidden />
                </IconButton>
                <IconButton
                  label={`Remove condition ${i + 1}`}
                  onClick={() => setRows(rows.filter((x) => x.key !== r.key))}
                >
                  <X aria-hidden />
                </IconButton>
              </div>
            </li>
          ))}
        </ol>
      )}
      <div>
        <Button
          size="s"
          icon={<Plus aria-hidden />}
          disabled={rows.length >= 20}
          onClick={() => {
            setRows([...rows, { key: next, if: '', model: options[0] ?? 'automatic' }]);
            setNext(next + 1);
          }}
        >
          Add a condition
        </Button>
      </div>
      <Select
        label={rows.length ? 'Otherwise' : 'Model'}
        hint="Conditions are CEL, on identity, claim, request, facts and location."
        value={otherwise}
        onChange={(e) => setOtherwise(e.target.value)}
      >
        {list}
      </Select>
    </ConfirmDialog>
  );
}
