import { Tabs as Radix } from 'radix-ui';
import { type ReactNode, useEffect, useRef } from 'react';
import s from './Tabs.module.css';

export interface Tab {
  id: string;
  label: ReactNode;
  content: ReactNode;
}

/** Parts of a page of which one is seen. Keep `value` in the address (useParam), so that it can be shared. */
export function Tabs({
  tabs,
  value,
  onChange,
  label,
}: {
  tabs: Tab[];
  value: string;
  onChange: (id: string) => void;
  label: string;
}) {
  const list = useRef<HTMLDivElement>(null);
  // Where there is no room for all, the row scrolls: the one that is open is seen all the same.
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever another one is opened
  useEffect(() => {
    const row = list.current;
    const on = row?.querySelector<HTMLElement>('[data-state=active]');
    if (!row || !on || row.scrollWidth <= row.clientWidth) return;
    row.scrollLeft = on.offsetLeft - row.offsetLeft - (row.clientWidth - on.offsetWidth) / 2;
  }, [value]);
  return (
    <Radix.Root value={value} onValueChange={onChange} activationMode="manual">
      <Radix.List ref={list} className={s.list} aria-label={label}>
        {tabs.map((t) => (
          <Radix.Trigger key={t.id} value={t.id} className={s.tab}>
            {t.label}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {tabs.map((t) => (
        <Radix.Content key={t.id} value={t.id} className={s.content} tabIndex={-1}>
          {t.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
