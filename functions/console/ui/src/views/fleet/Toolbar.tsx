import { Columns3, Search } from 'lucide-react';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { Button, ButtonLink, IconButton } from '@/parts/Button';
import { Filter, SetFilter, TextFilter, ToggleFilter } from '@/parts/Filter';
import { count } from '@/parts/format';
import { typeHref } from '@/parts/links';
import { Menu, MenuCheck, MenuLabel } from '@/parts/Menu';
import { Segments } from '@/parts/Segments';
import { phases } from '@/parts/words';
import { columnsOf } from './columns';
import s from './Toolbar.module.css';
import type { Filters, Kind } from './useFilters';
import type { TypeInfo } from './useTypes';

const kinds: { id: Kind; label: string }[] = [
  { id: 'devices', label: 'Devices' },
  { id: 'types', label: 'Types' },
  { id: 'groups', label: 'Aggregates' },
];
const orders = [
  { id: 'name', label: 'Name' },
  { id: '-lastSeen', label: 'Last contact' },
  { id: '-created', label: 'Newest' },
];

/** Search, filters and columns: everything that decides what the table shows. */
export function Toolbar({
  filters: f,
  types,
  byType,
  tags,
  hidden,
  onHidden,
}: {
  filters: Filters;
  types: ReadonlyMap<string, TypeInfo>;
  byType: ReadonlyMap<string, number>;
  /** Tags that were met, to choose from. */
  tags: readonly string[];
  hidden: readonly string[];
  onHidden: (hidden: readonly string[]) => void;
}) {
  const devices = f.kind === 'devices';
  return (
    <div className={s.bar}>
      <Segments label="What is listed" value={f.kind} items={kinds} onChange={(kind) => f.set({ kind })} />
      <SearchBox key={f.kind} value={f.get('q')} onChange={(q) => f.set({ q })} />
      <div className={s.filters}>
        {devices && (
          <>
            <Filter
              label="Type"
              value={f.get('type')}
              choices={[...types.values()].map((t) => ({
                id: t.id,
                label: t.id,
                note: count(byType.get(t.id) ?? 0),
              }))}
              onChange={(type) => f.set({ type })}
            />
            {f.get('type') && types.has(f.get('type')) && (
              <ButtonLink kind="quiet" href={typeHref(f.get('type'))}>
                About this type
              </ButtonLink>
            )}
            <Filter
              label="Phase"
              value={f.get('phase')}
              choices={phases.map((p) => ({ id: p, label: p }))}
              onChange={(phase) => f.set({ phase })}
            />
            <Filter
              label="Presence"
              value={f.get('presence')}
              choices={[
                { id: 'online', label: 'online' },
                { id: 'offline', label: 'not online' },
              ]}
              onChange={(presence) => f.set({ presence })}
            />
          </>
        )}
        <TextFilter label="Tag" value={f.get('tag')} suggestions={tags} onChange={(tag) => f.set({ tag })} />
        {devices && (
          <ToggleFilter
            label="Open alarms"
            on={f.get('alarms') === 'open'}
            onChange={(on) => f.set({ alarms: on ? 'open' : '' })}
          />
        )}
        {(['aggregate', 'owner'] as const).map(
          (name) =>
            f.get(name) && (
              <SetFilter
                key={name}
                label={name === 'aggregate' ? 'Aggregate' : 'Owner'}
                value={f.get(name)}
                onRemove={() => f.set({ [name]: '' })}
              />
            ),
        )}
        {f.any && (
          <Button kind="quiet" onClick={f.clear}>
            Clear the filters
          </Button>
        )}
        <div className={s.order}>
          <Filter label="Order" any="Id" value={f.sort} choices={orders} onChange={(sort) => f.set({ sort })} />
        </div>
      </div>
      <div className={s.columns}>
        <Menu
          trigger={
            <IconButton label="Columns">
              <Columns3 aria-hidden />
            </IconButton>
          }
        >
          <MenuLabel>Columns</MenuLabel>
          {columnsOf[f.kind].slice(1).map((c) => (
            <MenuCheck
              key={c.id}
              checked={!hidden.includes(c.id)}
              onChange={(on) => onHidden(on ? hidden.filter((h) => h !== c.id) : [...hidden, c.id])}
            >
              {c.heading}
            </MenuCheck>
          ))}
          <MenuLabel>Where the window is narrow, not all of them fit.</MenuLabel>
        </Menu>
      </div>
    </div>
  );
}

/** What is typed is searched for when the typing rests. */
function SearchBox({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const told = useRef(value);
  const tell = useRef(onChange);
  tell.current = onChange;
  useEffect(() => {
    // Changed from elsewhere: cleared, or the back button.
    if (value !== told.current) {
      told.current = value;
      setTyped(value);
    }
  }, [value]);
  useEffect(() => {
    if (typed === told.current) return;
    const t = setTimeout(() => {
      told.current = typed;
      tell.current(typed);
    }, 180);
    return () => clearTimeout(t);
  }, [typed]);
  const pressed = (e: KeyboardEvent) => {
    if (e.key === 'Escape' && typed) {
      e.stopPropagation();
      setTyped('');
    } else if (e.key === 'ArrowDown') {
      const first = document.querySelector<HTMLElement>('[data-row-link][tabindex="0"]');
      if (first) e.preventDefault();
      first?.focus();
    }
  };
  return (
    <search className={s.search}>
      <Search aria-hidden />
      <input
        type="search"
        aria-label="Search names, ids, tags and places"
        placeholder="Search"
        autoComplete="off"
        spellCheck={false}
        dir="auto"
        maxLength={64}
        value={typed}
        onChange={(e) => setTyped(e.target.value)}
        onKeyDown={pressed}
      />
    </search>
  );
}
