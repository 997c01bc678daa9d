import { useState } from 'react';
import { ApiError } from '@/api/client';
import type { DefinitionChange, Twin } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextField } from '@/parts/Field';
import { stale, useEdit } from '../useEdit';

const tag = /^[A-Za-z0-9][A-Za-z0-9._:/=-]{0,63}$/;

/** Name and tags of a twin. What is wrong is said at the field; what the platform refuses, below. */
export function Edit({ twin, onClose }: { twin: Twin; onClose: () => void }) {
  // What was read when the form was opened: a change of somebody else's meanwhile is not written over unseen.
  const [read] = useState(twin);
  const [late, setLate] = useState(false);
  const from = late ? twin : read;
  const d = read.definition;
  const [name, setName] = useState(d.name ?? '');
  const [tags, setTags] = useState((d.tags ?? []).join(' '));
  const edit = useEdit();
  const list = [...new Set(tags.split(/[\s,]+/).filter(Boolean))];
  const bad = list.find((t) => !tag.test(t));
  const fault = bad
    ? `“${bad.slice(0, 40)}” is no tag: letters, digits and . _ : / = - only, at most 64, beginning with a letter or digit.`
    : list.length > 32
      ? `${list.length} tags are too many; there is room for 32.`
      : '';

  const save = async () => {
    const change: DefinitionChange = {};
    if (name.trim() !== (d.name ?? '')) change.name = name.trim() || null;
    if (list.join(' ') !== (d.tags ?? []).join(' ')) change.tags = list.length ? list : null;
    if (Object.keys(change).length === 0) return;
    try {
      await edit(from, change, 'Saved');
    } catch (e) {
      if (e instanceof ApiError && e.status === stale) setLate(true);
      throw e;
    }
  };

  return (
    <ConfirmDialog onClose={onClose} title="Name and tags" verb="Save" disabled={!!fault} work={save}>
      <TextField
        label="Name"
        dir="auto"
        value={name}
        onChange={(e) => setName(e.target.value)}
        maxLength={128}
        placeholder={twin.id}
        autoFocus
      />
      <TextField
        label="Tags"
        value={tags}
        onChange={(e) => setTags(e.target.value)}
        error={fault}
        hint="Separated by spaces. The fleet can be filtered by them."
      />
    </ConfirmDialog>
  );
}
