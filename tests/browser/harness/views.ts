import type { Page } from 'playwright-core';
import type { Scene } from './scene';

export interface Shown {
  /** The picture's name. */
  name: string;
  path(s: Scene): string;
  /** Nobody is signed in. */
  anonymous?: boolean;
  /** Its picture is taken in the dark, too. */
  dark?: boolean;
  /** What is done before it is looked at. */
  then?(page: Page): Promise<unknown>;
}

const hot = (s: Scene) => `/twins/${s.twins.get('CP-003')}`;

/** Every view of the console, as it is shown in pictures and looked at by axe. */
export const shown: Shown[] = [
  { name: 'sign-in', path: () => '/', anonymous: true },
  { name: 'fleet', path: () => '/', dark: true },
  { name: 'fleet-types', path: () => '/?kind=types' },
  { name: 'twin', path: hot, dark: true },
  { name: 'twin-provisioning', path: (s) => `${hot(s)}?tab=provisioning` },
  { name: 'twin-alarms', path: (s) => `${hot(s)}?tab=alarms` },
  { name: 'twin-log', path: (s) => `${hot(s)}?tab=log` },
  { name: 'twin-raw', path: (s) => `${hot(s)}?tab=raw` },
  { name: 'type', path: () => '/types/cooling-pump' },
  { name: 'type-driver', path: () => '/types/air-sensor?tab=driver' },
  { name: 'alarms', path: () => '/alarms?show=all', dark: true },
  { name: 'rules', path: () => '/rules' },
  { name: 'rule-new', path: (s) => `/rules/new?twin=${s.twins.get('CP-006')}&property=bearing.temperature` },
  { name: 'enrol', path: () => '/enrol' },
  { name: 'provisioning', path: () => '/provisioning?show=ended' },
  { name: 'run-gone', path: (s) => `/runs/${s.gone}` },
  { name: 'provisioning-approvals', path: () => '/provisioning?tab=approvals' },
  { name: 'provisioning-manual', path: () => '/provisioning?tab=manual' },
  { name: 'provisioning-waiting', path: () => '/provisioning?tab=waiting' },
  { name: 'twin-access', path: (s) => `${hot(s)}?tab=access` },
  { name: 'claims', path: () => '/claims' },
  { name: 'claim-new', path: () => '/claims/new' },
  { name: 'models', path: () => '/models' },
  { name: 'model', path: () => '/models/semi-automatic' },
  { name: 'drivers', path: () => '/drivers' },
  { name: 'driver', path: () => '/drivers/acme-aq', dark: true },
  {
    name: 'driver-canary',
    path: () => '/drivers/acme-aq',
    then: async (page) => {
      await page.getByRole('button', { name: 'Actions on 1.1.0' }).click();
      await page.getByRole('menuitem', { name: /Try on some/ }).click();
      await page.getByRole('dialog').getByText(/It is in quarantine: /).waitFor();
    },
  },
  { name: 'driver-parked', path: () => '/drivers/acme-aq?tab=parked' },
  { name: 'twin-parked', path: (s) => `/twins/${s.twins.get('AQ-1')}?tab=parked` },
  {
    name: 'bench',
    dark: true,
    path: () => '/new-driver',
    then: async (page) => {
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      await page.getByRole('button', { name: 'Run the tests' }).click();
      await page.getByText('2 passed, 0 failed').waitFor();
      await page.getByText('"temperature": 22').waitFor();
    },
  },
  { name: 'gateways', path: () => '/gateways' },
  { name: 'gateway', path: () => '/gateways/operational-1' },
  {
    name: 'palette',
    path: () => '/',
    then: async (page) => {
      await page.getByRole('button', { name: /Search twins/ }).click();
      await page.getByRole('combobox').fill('pump');
      await page.getByRole('option', { name: /Cooling pump/ }).first().waitFor();
    },
  },
];
