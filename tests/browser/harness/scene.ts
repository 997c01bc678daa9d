import { eventually } from './api';
import { Device, makeType, type Values } from './device';
import { makeDrivers } from './drivers';
import { change, makePerson, setRule } from './people';
import type { Person, Platform } from './platform';

const minute = 60_000;
const day = 24 * 60; // minutes

/** A small fleet with a day behind it: what pictures are taken of. Its values are the same each time; its clock is today's. */
export interface Scene {
  owner: Person;
  /** Twins by serial. */
  twins: Map<string, string>;
  /** The run of a device that was in and has been decommissioned. */
  gone: string;
  /** Measures once more, now. */
  tick(): Promise<void>;
  end(): Promise<void>;
}

interface Machine {
  serial: string;
  name: string;
  type: string;
  owner: string;
  tags: string[];
  hall: string;
  /** Values at a minute of the day that ends now; `r` is noise of -1 to 1. */
  at(minute: number, r: () => number): Values;
  /** It has not been heard of since. */
  silent?: boolean;
}

const wave = (m: number, period: number, shift = 0) => Math.sin((2 * Math.PI * (m + shift)) / period);
const round = (v: number, digits: number) => Number(v.toFixed(digits));

/** A pump; `hot` is when its bearing ran hot, in minutes of the day. */
function pump(n: number, hall: string, hot: [from: number, to: number][] = []): Machine {
  return {
    serial: `CP-${String(n).padStart(3, '0')}`,
    name: `Cooling pump ${n}`,
    type: 'cooling-pump',
    owner: 'cooling',
    tags: [hall === 'Hall North' ? 'north' : 'south', n % 2 ? 'primary' : 'standby'],
    hall,
    at(m, r) {
      const spell = hot.find(([from, to]) => m >= from && m < to);
      const heat = spell ? 24 * Math.min(1, (m - spell[0]) / 20) : 0;
      const load = 0.75 + 0.2 * wave(m, 720, n * 90);
      return {
        'bearing.temperature': round(48 + 9 * load + heat + 0.6 * r(), 1),
        flow: round(82 * load + 1.5 * r(), 1),
        pressure: round(2.4 + 1.1 * load + 0.04 * r(), 2),
        vibration: round(1.1 + 0.5 * load + (spell ? 1.4 : 0) + 0.12 * Math.abs(r()), 2),
        running: true,
      };
    },
  };
}

function press(n: number, tonnes: number): Machine {
  return {
    serial: `HP-${n}`,
    name: `Press ${n} · ${tonnes} t`,
    type: 'hydraulic-press',
    owner: 'press-shop',
    tags: [`${tonnes}t`, n > 2 ? 'line-b' : 'line-a'],
    hall: 'Press shop',
    at(m, r) {
      const shift = m % 480 < 430; // between shifts it stands
      return {
        force: shift ? round(tonnes * 9.81 * (0.8 + 0.1 * r()), 0) : 0,
        'oil.temperature': round(41 + (shift ? 8 : 0) + 3 * wave(m, 480, n * 60) + 0.3 * r(), 1),
        strokes: shift ? round(12 + 2 * r(), 0) : 0,
        guard: shift ? 'closed' : 'open',
      };
    },
  };
}

function chiller(n: number, silent = false): Machine {
  return {
    serial: `CH-${n}`,
    name: `Chiller ${n === 1 ? 'A' : 'B'}`,
    type: 'chiller',
    owner: 'cooling',
    tags: ['roof'],
    hall: 'Roof',
    silent,
    at: (m, r) => ({ supply: round(6.5 + 0.8 * wave(m, 90) + 0.1 * r(), 2), return: round(11.9 + 1.1 * wave(m, 90, 20) + 0.1 * r(), 2), power: round(38 + 12 * wave(m, 720) + r(), 1) }),
  };
}

const machines: Machine[] = [
  ...[pump(1, 'Hall North'), pump(2, 'Hall North', [[300, 372]]), pump(3, 'Hall North', [[day - 55, day + 600]]), pump(4, 'Hall North')],
  ...[pump(5, 'Hall South'), pump(6, 'Hall South', [[700, 760], [1010, 1050]]), pump(7, 'Hall South')],
  ...[press(1, 160), press(2, 160), press(3, 400), chiller(1), chiller(2, true)],
];

const number = (name: string, unit: string, min: number, max: number, note: string) => ({ name, unit, min, max, note });

/** Makes the fleet on an empty platform. */
export async function makeScene(p: Platform): Promise<Scene> {
  const owner = await makePerson(p, 'mara', ['owner'], 'cooling', 'Cooling plant');
  await makePerson(p, 'jonas', ['owner'], 'press-shop', 'Press shop');
  await makeType(p, 'cooling-pump', 'Cooling pumps', [
    number('bearing.temperature', 'Cel', -20, 120, 'drive-end bearing'),
    number('flow', 'L/min', 0, 200, 'at the outlet'),
    number('pressure', 'bar', 0, 10, 'at the outlet'),
    number('vibration', 'mm/s', 0, 20, 'root mean square, 10 Hz to 1 kHz'),
    { name: 'running', type: 'boolean' },
  ]);
  await makeType(p, 'hydraulic-press', 'Hydraulic presses', [
    number('force', 'kN', 0, 5000, 'of the last stroke'),
    number('oil.temperature', 'Cel', 0, 90, 'in the tank'),
    number('strokes', '1/min', 0, 60, 'mean of the last minute'),
    { name: 'guard', type: 'string', note: 'safety guard: open or closed' },
  ]);
  await makeType(p, 'chiller', 'Chillers', [
    number('supply', 'Cel', -10, 40, 'water to the plant'),
    number('return', 'Cel', -10, 60, 'water from the plant'),
    number('power', 'kW', 0, 120, 'electrical'),
  ]);
  for (const [id, name] of [['hall-north', 'Hall North'], ['hall-south', 'Hall South']] as const)
    await p.api.post('twins/twins', { id, kind: 'aggregate', definition: { name, owner: 'cooling' } });
  await setRule(p, 'cooling-pump', 'bearing.temperature > 70 for 5m clear 65', 'critical', 'Bearing runs hot');
  await setRule(p, 'cooling-pump', 'vibration > 2.5 for 2m clear 2', 'warning', 'Vibration');
  await setRule(p, 'chiller', 'supply > 12 for 10m', 'warning', 'Supply too warm');
  await setRule(p, 'hydraulic-press', 'oil.temperature > 60 for 5m clear 55', 'critical', 'Oil too hot');

  const devices = new Map<Machine, Device>();
  await Promise.all(machines.map(async (m) => devices.set(m, await Device.enrol(p, m.type, m.owner, m.serial))));
  const noise = new Map(machines.map((m, i) => [m, random(i + 1)]));
  await Promise.all(
    machines.map(async (m) => {
      const d = devices.get(m)!;
      const aggregates = m.hall.startsWith('Hall') ? [m.hall.toLowerCase().replace(' ', '-')] : [];
      await change(p, d.twin, { name: m.name, tags: m.tags, aggregates, location: { region: 'eu-central', site: m.hall } });
      const last = m.silent ? day - 200 : day;
      await d.remember(Array.from({ length: last }, (_, i) => ({ ago: (day - i) * minute, data: m.at(i, noise.get(m)!) })));
      await d.log('controller', 'info', 'self-test passed');
      if (m.silent) await d.end();
    }),
  );
  const air = await makeDrivers(p, 'cooling');
  const gone = await decommission(p, await Device.enrol(p, 'cooling-pump', 'cooling', 'CP-000'));
  await eventually('the hot pump has its alarms', async () => (await p.api.all('alerts/alarms?state=raised')).length >= 2);
  const twins = new Map([...devices].map(([m, d]) => [m.serial, d.twin])).set('AQ-1', air.twin);
  let now = day;
  return {
    owner,
    twins,
    gone,
    tick: async () => {
      now += 1;
      await Promise.all(machines.filter((m) => !m.silent).map((m) => devices.get(m)!.measure(m.at(now, noise.get(m)!))));
    },
    end: async () => void (await Promise.all([air, ...devices.values()].map((d) => d.end()))),
  };
}

/** Takes a device out for good, and returns its run, once that says so. */
async function decommission(p: Platform, device: Device): Promise<string> {
  await device.end();
  await p.api.post(`twins/twins/${device.twin}/decommission`, { reason: 'bearing seized, scrapped', data: 'archive' });
  return eventually(`${device.serial} is out`, async () =>
    (await p.api.all('twin-provision/runs?outcome=rejected')).find((r) => r.request.serial === device.serial)?.id,
  );
}

/** Numbers of -1 to 1 that are the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let a = seed * 0x9e3779b9;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2147483648 - 1;
  };
}
