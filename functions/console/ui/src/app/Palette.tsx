import { Command } from 'cmdk';
import {
  Binary,
  CircleCheck,
  Contrast,
  Keyboard,
  KeyRound,
  LogOut,
  type LucideIcon,
  PlugZap,
  Radar,
  Router,
  SlidersHorizontal,
  Workflow,
  Wrench,
} from 'lucide-react';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { session } from '@/api/session';
import { pageHref, provisioningHref } from '@/parts/links';
import { setTheme, useDark } from '@/parts/theme';
import { toast } from '@/parts/toast';
import { useTwinSearch } from '@/parts/useTwinSearch';
import { has, useUser } from '@/parts/useUser';
import { kindWord } from '@/parts/words';
import s from './Palette.module.css';
import { placesOf } from './views';

/** What can be chosen. Ids are told apart by their first word. */
interface Choice {
  id: string;
  label: string;
  aside?: string;
  key?: string;
  icon?: LucideIcon;
  act: () => void;
}

/** What configurators do. */
const configuring = (go: (to: string) => void): Choice[] => [
  { id: 'do driver', label: 'Write a payload driver', icon: Binary, act: () => go('/new-driver') },
  { id: 'do model', label: 'Write a provisioning model', icon: Workflow, act: () => go('/new-model') },
  {
    id: 'do drain',
    label: 'Drain a gateway, or move a device',
    icon: Router,
    act: () => go('/gateways?phase=operational'),
  },
];

/** Finds a twin or does something, by typing. What is found comes from the platform, so the choosing is done here and not by cmdk. */
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
  const [chosen, choose] = useState('');
  const [, go] = useLocation();
  const dark = useDark();
  const user = useUser();
  useEffect(() => {
    if (!open) setTyped('');
  }, [open]);
  const words = typed.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (text: string) => words.every((w) => text.toLowerCase().includes(w));
  const { found, stale } = useTwinSearch(typed, 8, open && words.length > 0);

  // What was found for fewer letters stays only where it fits: Enter must open what was typed.
  const twins = found
    .filter((t) => words.length > 0 && (!stale || fits(`${t.id} ${t.definition.name ?? ''}`)))
    .map((t) => ({
      id: `twin ${t.id}`,
      label: t.definition.name || t.id,
      aside: t.kind === 'instance' ? t.definition.type : kindWord(t.kind),
      act: () => go(pageHref(t)),
    }));
  const ways: Choice[] = placesOf(user).map((p) => ({
    id: `go ${p.href}`,
    label: p.label,
    key: `g ${p.key}`,
    icon: p.icon,
    act: () => go(p.href),
  }));
  const deeds: Choice[] = [
    { id: 'do threshold', label: 'Set a threshold', icon: SlidersHorizontal, act: () => go('/rules/new') },
    {
      id: 'do decide',
      label: 'Decide what waits for you',
      icon: CircleCheck,
      act: () => go(provisioningHref('approvals')),
    },
    { id: 'do begin', label: 'Bring in a device by hand', icon: Wrench, act: () => go(provisioningHref('manual')) },
    {
      id: 'do admit',
      label: 'Admit or ban devices that knock',
      icon: Radar,
      act: () => go(provisioningHref('waiting')),
    },
    { id: 'do board', label: 'Provisioning runs by state', icon: PlugZap, act: () => go(provisioningHref('board')) },
    { id: 'do claim', label: 'Make a claim', icon: KeyRound, act: () => go('/claims/new') },
    ...(has(user, 'maintainer', 'configurator') ? configuring(go) : []),
    { id: 'do keys', label: 'Show the keys', key: '?', icon: Keyboard, act: onKeys },
    {
      id: 'do theme',
      label: dark ? 'Light theme' : 'Dark theme',
      icon: Contrast,
      act: () => setTheme(dark ? 'light' : 'dark'),
    },
    {
      id: 'do sign-out',
      label: 'Sign out',
      icon: LogOut,
      act: () => void session.signOut().catch((e) => toast.failed('Not signed out', e)),
    },
  ];
  const groups: [heading: string, choices: Choice[]][] = [
    ['Twins', twins],
    ['Go to', ways.filter((c) => fits(c.label))],
    ['Do', deeds.filter((c) => fits(c.label))],
  ];
  const first = groups.flatMap(([, choices]) => choices)[0]?.id ?? '';
  // biome-ignore lint/correctness/useExhaustiveDependencies: another letter begins at the top again
  useEffect(() => choose(first), [first, typed, open]);

  return (
    <Command.Dialog
      open={open}
      onOpenChange={(o) => !o && onClose()}
      label="Search or do something"
      overlayClassName={s.veil}
      contentClassName={s.palette}
      shouldFilter={false}
      value={chosen}
      onValueChange={choose}
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
        {first === '' && <p className={s.none}>{stale ? 'Searching…' : 'Nothing found.'}</p>}
        {groups.map(
          ([heading, choices]) =>
            choices.length > 0 && (
              <Command.Group key={heading} heading={heading} className={s.group}>
                {choices.map((c) => (
                  <Command.Item
                    key={c.id}
                    value={c.id}
                    className={s.item}
                    onSelect={() => {
                      onClose();
                      c.act();
                    }}
                  >
                    {c.icon && <c.icon aria-hidden />}
                    <bdi className={s.name}>{c.label}</bdi>
                    {c.aside && <span className={s.what}>{c.aside}</span>}
                    {c.key && <kbd className={s.keys}>{c.key}</kbd>}
                  </Command.Item>
                ))}
              </Command.Group>
            ),
        )}
      </Command.List>
    </Command.Dialog>
  );
}
