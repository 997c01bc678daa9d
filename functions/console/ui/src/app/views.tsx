// Every view with its address: the only list of them. A view is a folder in views/ and is loaded when it is first looked at.
import {
  BellRing,
  Binary,
  Cpu,
  KeyRound,
  type LucideIcon,
  PlugZap,
  PlusCircle,
  Router,
  Shapes,
  SlidersHorizontal,
  Workflow,
} from 'lucide-react';
import type { Role, User } from '@/api/types';
import { type Later, later } from '@/parts/later';
import { fleetHref } from '@/parts/links';
import { has } from '@/parts/useUser';

/** Where the console lives. */
export const base = '/function/console';

interface View extends Later<object> {
  path: string;
}

const view = (path: string, load: Parameters<typeof later<object>>[0]): View => ({ path, ...later(load) });

export const views: View[] = [
  view('/', () => import('@/views/fleet/Fleet')),
  view('/twins/:id', () => import('@/views/twin/TwinView')),
  view('/types/:id', () => import('@/views/twin/TwinView')),
  view('/alarms', () => import('@/views/alarms/Alarms')),
  view('/rules', () => import('@/views/rules/Rules')),
  view('/rules/new', () => import('@/views/rules/NewRule')),
  view('/provisioning', () => import('@/views/provisioning/Provisioning')),
  view('/runs/:id', () => import('@/views/provisioning/RunPage')),
  view('/runs/:id/install', () => import('@/views/provisioning/manual/Install')),
  view('/enrol', () => import('@/views/enrol/Enrol')),
  view('/claims', () => import('@/views/claims/Claims')),
  view('/claims/new', () => import('@/views/claims/NewClaim')),
  view('/claims/labels', () => import('@/views/claims/Labels')),
  view('/models', () => import('@/views/models/Models')),
  view('/models/:id', () => import('@/views/models/ModelView')),
  view('/new-model', () => import('@/views/models/NewModel')),
  view('/drivers', () => import('@/views/drivers/Drivers')),
  view('/drivers/:name', () => import('@/views/drivers/DriverView')),
  view('/new-driver', () => import('@/views/drivers/NewDriver')),
  view('/gateways', () => import('@/views/gateways/Gateways')),
  view('/gateways/:id', () => import('@/views/gateways/GatewayView')),
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
  /** What begins with one of these belongs to it, too. */
  within?: readonly string[];
  /** Too seldom wanted for the bar of a phone; there a menu leads to it. */
  seldom?: boolean;
  /** Whose it is; left out, everybody's. */
  roles?: readonly Role[];
}

/** The fleet's list of types. */
const typesHref = fleetHref({ kind: 'types' });

/** Where the navigation and the command palette lead. */
export const places: Place[] = [
  { href: '/', label: 'Fleet', icon: Cpu, key: 'f', within: ['/twins/'] },
  { href: '/alarms', label: 'Alarms', icon: BellRing, key: 'a' },
  { href: '/rules', label: 'Rules', icon: SlidersHorizontal, key: 'r' },
  { href: '/provisioning', label: 'Provisioning', icon: PlugZap, key: 'p', within: ['/runs/'] },
  { href: '/enrol', label: 'Enrol a device', icon: PlusCircle, key: 'e' },
  { href: typesHref, label: 'Types', icon: Shapes, key: 't', within: ['/types/'], seldom: true },
  { href: '/claims', label: 'Claims', icon: KeyRound, key: 'c', seldom: true },
  { href: '/models', label: 'Models', icon: Workflow, key: 'm', seldom: true, roles: ['maintainer', 'configurator'] },
  {
    href: '/drivers',
    label: 'Drivers',
    icon: Binary,
    key: 'd',
    seldom: true,
    roles: ['maintainer', 'configurator', 'developer'],
  },
  { href: '/gateways', label: 'Gateways', icon: Router, key: 'w', seldom: true, roles: ['maintainer', 'configurator'] },
];

/** The place that an address belongs to, and whether it is the place's own and not only within it. */
export function placeAt(path: string, search: string): { place?: Place; own: boolean } {
  const href = path === '/' && new URLSearchParams(search).get('kind') === 'types' ? typesHref : path;
  const place = places.find((p) => href === p.href || (p.href !== '/' && href.startsWith(`${p.href}/`)));
  return place
    ? { place, own: true }
    : { place: places.find((p) => p.within?.some((w) => href.startsWith(w))), own: false };
}

/** The places that are a person's. */
export const placesOf = (user: User | undefined) => places.filter((p) => !p.roles || has(user, ...p.roles));
