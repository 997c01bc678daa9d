// Every view with its address: the only list of them. A view is a folder in views/ and is loaded when it is first looked at.
import { BellRing, Cpu, type LucideIcon, PlusCircle, SlidersHorizontal } from 'lucide-react';
import { type ComponentType, lazy } from 'react';

export interface View {
  path: string;
  component: ComponentType;
}

export const views: View[] = [
  { path: '/', component: lazy(() => import('@/views/fleet/Fleet')) },
  { path: '/twins/:id', component: lazy(() => import('@/views/twin/TwinView')) },
  { path: '/alarms', component: lazy(() => import('@/views/alarms/Alarms')) },
  { path: '/rules', component: lazy(() => import('@/views/rules/Rules')) },
  { path: '/rules/new', component: lazy(() => import('@/views/rules/NewRule')) },
  { path: '/enrol', component: lazy(() => import('@/views/enrol/Enrol')) },
];

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
