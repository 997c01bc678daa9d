import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';
import { type Choice, Combobox } from './Combobox';

const kinds: Record<Twin['kind'], string> = { instance: 'device', type: 'type', aggregate: 'group' };

/** What people call a twin's kind. */
export const kindWord = (kind: Twin['kind']) => kinds[kind];

/** A twin, type or group, found by typing. '' is none; `any` offers to choose none. */
export function TwinPicker({
  value,
  onChange,
  any,
  ...rest
}: {
  label: string;
  bare?: boolean;
  hint?: string;
  error?: string;
  placeholder?: string;
  disabled?: boolean;
  value: string;
  onChange: (id: string) => void;
  any?: string;
}) {
  const [typed, setTyped] = useState('');
  const [looked, setLooked] = useState(false);
  const found = useTwins(typed, looked);
  const chosen = useQuery({
    queryKey: keys.twin(value),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/twins/{id}', { params: { path: { id: value } }, signal })),
    enabled: value !== '',
  });
  const choices: Choice[] = (found.data?.items ?? []).map((t) => ({
    id: t.id,
    label: t.definition.name || t.id,
    note: t.kind === 'instance' ? (t.definition.name ? t.id : t.definition.type) : kindWord(t.kind),
  }));
  if (any && typed === '' && value) choices.unshift({ id: '', label: any });
  return (
    <Combobox
      {...rest}
      value={value ? chosen.data?.definition.name || value : (any ?? '')}
      choices={choices}
      busy={found.stale}
      onType={(t) => {
        setLooked(true);
        setTyped(t);
      }}
      onChoose={onChange}
    />
  );
}

/** Twins by what was typed, asked for when the typing rests. */
function useTwins(typed: string, on: boolean) {
  const [q, setQ] = useState('');
  useEffect(() => {
    const t = setTimeout(() => setQ(typed.trim()), 120);
    return () => clearTimeout(t);
  }, [typed]);
  const query = { q, limit: 30, view: 'row' } as const;
  const found = useQuery({
    queryKey: keys.twins(query),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/twins', { params: { query }, signal })),
    enabled: on,
    placeholderData: (old) => old,
  });
  return { data: found.data, stale: q !== typed.trim() || found.isPlaceholderData || found.isLoading };
}
