// Every view with its address: the only list of them. A view is a folder in views/ and is loaded when it is first looked at.
import { BellRing, Cpu, type LucideIcon, PlusCircle, SlidersHorizontal } from 'lucide-react';
import { type Later, later } from '@/parts/later';

/** Where the console lives. */
export const base = '/function/console';

interface View extends Later<object> {
  path: string;
}

const view = (path: string, load: Parameters<typeof later<object>>[0]): View => ({ path, ...later(load) });

export const views: View[] = [
  view('/', () => import('@/views/fleet/Fleet')),
  view('/twins/:id', () => import('@/views/twin/TwinView')),
  view('/alarms', () => import('@/views/alarms/Alarms')),
  view('/rules', () => import('@/views/rules/Rules')),
  view('/rules/new', () => import('@/views/rules/NewRule')),
  view('/enrol', () => import('@/views/enrol/Enrol')),
];

/** Loads the view at a path ahead of its being shown; who shows it tells what is wrong with it. */
export async function expectView(path: string): Promise<void> {
  const at = views.find((v) => new RegExp(`^${v.path.replace(/:\w+/, '[^/]+')}$`).test(path));
  await at?.expect();
}

export interface Place {
  href: string;
  label: string;
  icon: LucideIcon;
  /** Pressed after g. */
  key: string;
}

/** Where the navigation and the command palette lead. */
export const places: Place[] = [
  { href: '/', label: 'Fleet', icon: Cpu, key: 'f' },
  { href: '/alarms', label: 'Alarms', icon: BellRing, key: 'a' },
  { href: '/rules', label: 'Rules', icon: SlidersHorizontal, key: 'r' },
  { href: '/enrol', label: 'Enrol a device', icon: PlusCircle, key: 'e' },
];
