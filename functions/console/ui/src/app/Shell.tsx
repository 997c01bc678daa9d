import { Ellipsis, LogOut, Monitor, Moon, Search, Sun, UserRound } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { session } from '@/api/session';
import type { User } from '@/api/types';
import { IconButton } from '@/parts/Button';
import { cx } from '@/parts/cx';
import { Menu, MenuItem, MenuLabel, MenuLine } from '@/parts/Menu';
import { Tooltip } from '@/parts/Tooltip';
import { setTheme, useTheme } from '@/parts/theme';
import { toast } from '@/parts/toast';
import { useAsked } from '@/parts/useAsked';
import { useMedia } from '@/parts/useMedia';
import castor from '../castor.svg';
import { Keys } from './Keys';
import { LiveMark } from './LiveMark';
import { Palette } from './Palette';
import s from './Shell.module.css';
import { useExpected } from './useExpected';
import { useKeys } from './useKeys';
import { useOpenAlarms } from './useOpenAlarms';
import { type Place, placeAt, placesOf } from './views';

/** The frame around every view: navigation (below, on a phone), search, who is signed in. */
export function Shell({ user, children }: { user: User; children: ReactNode }) {
  const [searching, setSearching] = useState(false);
  const [keys, setKeys] = useState(false);
  const open = useOpenAlarms().data;
  const asked = useAsked().data;
  const [path] = useLocation();
  const at = placeAt(path, useSearch());
  const mine = placesOf(user);
  useKeys(
    () => setSearching(true),
    () => setKeys(true),
  );
  useExpected();
  const marks = new Map([
    ['/alarms', { mark: countOf(open), what: 'open' }],
    ['/provisioning', { mark: countOf(asked), what: 'waiting for people' }],
  ]);
  return (
    <div className={s.shell}>
      <a className={s.skip} href="#main">
        To the content
      </a>
      <nav className={s.side} aria-label="Main">
        <div className={s.brand}>
          <img src={castor} alt="" width={24} height={24} />
          <span>Castor</span>
        </div>
        <div className={s.nav}>
          {mine.map((p) => (
            <NavLink key={p.href} place={p} at={at} {...marks.get(p.href)} />
          ))}
          <More places={mine.filter((p) => p.seldom)} at={at} />
        </div>
      </nav>
      <header className={s.top}>
        <img className={s.logo} src={castor} alt="" width={24} height={24} />
        <button type="button" className={s.search} onClick={() => setSearching(true)}>
          <Search aria-hidden />
          <span>Search twins, or do something</span>
          <kbd aria-hidden>{/Mac|iP/.test(navigator.platform) ? '⌘K' : 'Ctrl K'}</kbd>
        </button>
        <LiveMark />
        <UserMenu user={user} />
      </header>
      <main id="main" className={s.main} tabIndex={-1}>
        {children}
      </main>
      <Palette open={searching} onClose={() => setSearching(false)} onKeys={() => setKeys(true)} />
      <Keys open={keys} onClose={() => setKeys(false)} />
    </div>
  );
}

/** The number of a list's first page; '' = nothing is in it. */
const countOf = (page: { items: unknown[]; next?: string } | undefined) =>
  page?.items.length ? `${page.items.length}${page.next ? '+' : ''}` : '';

type At = ReturnType<typeof placeAt>;

function NavLink({ place, at, mark = '', what }: { place: Place; at: At; mark?: string; what?: string }) {
  const active = at.place === place;
  const Icon = place.icon;
  const icons = useMedia('(min-width: 721px) and (max-width: 900px)'); // as the style sheet says
  const link = (
    <Link
      href={place.href}
      className={cx(s.link, active && s.here, place.seldom && s.seldom)}
      aria-current={active && at.own ? 'page' : undefined}
    >
      <Icon aria-hidden />
      <span className={s.word}>{place.label}</span>
      {mark && (
        <span className={cx(s.mark, place.href !== '/alarms' && s.calm)}>
          {mark}
          <span className="visually-hidden"> {what}</span>
        </span>
      )}
    </Link>
  );
  return icons ? (
    <Tooltip text={place.label} side="right">
      {link}
    </Tooltip>
  ) : (
    link
  );
}

/** On a phone, the places that find no room in its bar. */
function More({ places, at }: { places: readonly Place[]; at: At }) {
  const [, go] = useLocation();
  return (
    <Menu
      trigger={
        <button type="button" className={cx(s.link, s.more, at.place?.seldom && s.here)}>
          <Ellipsis aria-hidden />
          <span className={s.word}>More</span>
        </button>
      }
    >
      {places.map((p) => (
        <MenuItem key={p.href} icon={<p.icon aria-hidden />} onSelect={() => go(p.href)}>
          {p.label}
        </MenuItem>
      ))}
    </Menu>
  );
}

function UserMenu({ user }: { user: User }) {
  const theme = useTheme();
  const signOut = () => session.signOut().catch((e) => toast.failed('Not signed out', e));
  return (
    <Menu
      trigger={
        <IconButton label={`Signed in as ${user.id}`} side="bottom">
          <UserRound aria-hidden />
        </IconButton>
      }
    >
      <MenuLabel>
        <b dir="auto">{user.name || user.id}</b>
        {user.name && user.name !== user.id && <bdi className={s.id}> {user.id}</bdi>}
        <br />
        {user.roles.join(', ')}
        {user.groups?.length ? ` · ${user.groups.join(', ')}` : ''}
      </MenuLabel>
      <MenuLine />
      <MenuItem icon={<Monitor aria-hidden />} onSelect={() => setTheme('system')}>
        System theme{theme === 'system' && ' ✓'}
      </MenuItem>
      <MenuItem icon={<Sun aria-hidden />} onSelect={() => setTheme('light')}>
        Light{theme === 'light' && ' ✓'}
      </MenuItem>
      <MenuItem icon={<Moon aria-hidden />} onSelect={() => setTheme('dark')}>
        Dark{theme === 'dark' && ' ✓'}
      </MenuItem>
      <MenuLine />
      <MenuItem icon={<LogOut aria-hidden />} onSelect={signOut}>
        Sign out
      </MenuItem>
    </Menu>
  );
}
