import { Command } from 'cmdk';
import { Contrast, Keyboard, LogOut, SlidersHorizontal } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { session } from '@/api/session';
import type { Twin } from '@/api/types';
import { twinHref } from '@/parts/links';
import { setTheme, useDark } from '@/parts/theme';
import { toast } from '@/parts/toast';
import { useTwinSearch } from '@/parts/useTwinSearch';
import { kindWord } from '@/parts/words';
import s from './Palette.module.css';
import { places } from './views';

/** Finds a twin or does something, by typing. */
export function Palette({
  open,
  onClose,
  onKeys,
}: {
  open: boolean;
  onClose: () => void;
  /** Shows the keys that work everywhere. */
  onKeys: () => void;
}) {
  const [typed, setTyped] = useState('');
  const [, go] = useLocation();
  const dark = useDark();
  useEffect(() => {
    if (!open) setTyped('');
  }, [open]);
  const { found, stale } = useTwinSearch(typed, 8, open && typed.trim() !== '');
  // What was found for fewer letters stays only where it fits: Enter must open what was typed.
  const wanted = typed.trim().toLowerCase().split(/\s+/);
  const fits = (t: Twin) => wanted.every((w) => `${t.id} ${t.definition.name ?? ''}`.toLowerCase().includes(w));
  const shown = stale ? found.filter(fits) : found;
  const does = (f: () => void) => () => {
    onClose();
    f();
  };
  return (
    <Command.Dialog
      open={open}
      onOpenChange={(o) => !o && onClose()}
      label="Search or do something"
      overlayClassName={s.veil}
      contentClassName={s.palette}
      loop
    >
      <Command.Input
        className={s.input}
        value={typed}
        onValueChange={setTyped}
        placeholder="Search twins, or do something…"
        maxLength={64}
      />
      <Command.List className={s.list}>
        <Command.Empty className={s.none}>{stale ? 'Searching…' : 'Nothing found.'}</Command.Empty>
        {typed.trim() !== '' && shown.length > 0 && (
          <Command.Group heading="Twins" className={s.group}>
            {shown.map((t) => (
              <Command.Item
                key={t.id}
                value={`twin ${t.id}`}
                keywords={[typed]}
                className={s.item}
                onSelect={does(() => go(twinHref(t.id)))}
              >
                <bdi className={s.name}>{t.definition.name || t.id}</bdi>
                <span className={s.what}>{t.kind === 'instance' ? t.definition.type : kindWord(t.kind)}</span>
              </Command.Item>
            ))}
          </Command.Group>
        )}
        <Command.Group heading="Go to" className={s.group}>
          {places.map((p) => (
            <Command.Item key={p.href} className={s.item} onSelect={does(() => go(p.href))}>
              <p.icon aria-hidden />
              <span className={s.name}>{p.label}</span>
              <kbd className={s.keys}>g {p.key}</kbd>
            </Command.Item>
          ))}
        </Command.Group>
        <Command.Group heading="Do" className={s.group}>
          <Command.Item className={s.item} onSelect={does(() => go('/rules/new'))}>
            <SlidersHorizontal aria-hidden />
            <span className={s.name}>Set a threshold</span>
          </Command.Item>
          <Command.Item className={s.item} onSelect={does(onKeys)}>
            <Keyboard aria-hidden />
            <span className={s.name}>Show the keys</span>
            <kbd className={s.keys}>?</kbd>
          </Command.Item>
          <Command.Item className={s.item} onSelect={does(() => setTheme(dark ? 'light' : 'dark'))}>
            <Contrast aria-hidden />
            <span className={s.name}>{dark ? 'Light theme' : 'Dark theme'}</span>
          </Command.Item>
          <Command.Item
            className={s.item}
            onSelect={does(() => void session.signOut().catch((e) => toast.failed('Not signed out', e)))}
          >
            <LogOut aria-hidden />
            <span className={s.name}>Sign out</span>
          </Command.Item>
        </Command.Group>
      </Command.List>
    </Command.Dialog>
  );
}
