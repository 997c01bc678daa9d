import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { oneTwin } from '@/api/reads';
import type { Twin } from '@/api/types';
import { type Choice, Combobox } from './Combobox';
import { useTwinSearch } from './useTwinSearch';
import { kindWord } from './words';

/** A twin, type or aggregate, found by typing. '' is none; `any` offers to choose none. */
export function TwinPicker({
  value,
  onChange,
  onType,
  any,
  kind,
  ...rest
}: {
  label: string;
  bare?: boolean;
  hint?: string;
  error?: string;
  placeholder?: string;
  disabled?: boolean;
  unchosen?: string;
  value: string;
  onChange: (id: string) => void;
  /** Hears of what stands in the field and was not chosen; '' is nothing. */
  onType?: (text: string) => void;
  any?: string;
  /** Only twins of this kind can be chosen. */
  kind?: Twin['kind'];
}) {
  const [typed, setTyped] = useState('');
  const [looked, setLooked] = useState(false);
  const { found, stale } = useTwinSearch(typed, 30, looked, kind);
  const chosen = useQuery(oneTwin(value));
  const choices: Choice[] = found.map((t) => ({
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
      busy={stale}
      onType={(t) => {
        setLooked(true);
        setTyped(t);
        onType?.(t);
      }}
      onChoose={onChange}
    />
  );
}
