import { eventually } from './api';
import { Device } from './device';
import { change } from './people';
import type { Platform } from './platform';

const reads = (guard: string) => `// Acme AQ: air quality, a JSON object of values below "data".
function decodeUplink(input) {
  const values = JSON.parse(String.fromCharCode.apply(null, input.bytes)).data;
  if (!values) throw new Error('no data in it');
${guard}
  return { data: { co2: values.c, temperature: values.t } };
}
`;

const versions = [
  { version: '1.0.0', code: reads('  if (values.c > 5000) throw new Error(`co2 ${values.c} is beyond what the sensor measures`);'), note: 'The first' },
  { version: '1.1.0', code: reads('  while (values.c > 400); // waits for the sensor to settle'), note: 'Waits for the sensor to settle' },
];

const warm = { name: 'a warm room', op: 'decodeUplink', bytes: btoa('{"data":{"c":400,"t":21.5}}'), want: { data: { co2: 400, temperature: 21.5 } } };

/**
 * A driver with a history: a version that reads most of what its device sends, and a newer one whose trial on that device ended in
 * quarantine. What neither could read is parked.
 */
export async function makeDrivers(p: Platform, owner: string): Promise<Device> {
  for (const { code, ...v } of versions)
    await p.api.post('drivers/drivers/acme-aq/versions', { name: 'acme-aq', owner, kind: 'javascript', title: 'Acme AQ air quality', maker: 'Acme', code: btoa(code), tests: [warm], ...v });
  await p.api.post('drivers/drivers/acme-aq/versions/1.0.0/promote');
  const properties = [{ name: 'co2', unit: '[ppm]', min: 0, max: 5000, note: 'carbon dioxide' }, { name: 'temperature', unit: 'Cel', min: -20, max: 60 }];
  await p.api.post('twins/twins', { id: 'air-sensor', kind: 'type', definition: { name: 'Air sensors', model: { driver: 'acme-aq', properties } } });
  const device = await Device.enrol(p, 'air-sensor', owner, 'AQ-1');
  await change(p, device.twin, { name: 'Air, control room' });
  const live = async () => (await p.api.get(`twins/twins/${device.twin}`)).live;
  device.send({ c: 612, t: 21.4 });
  await eventually('the air sensor is read', async () => (await live()).reported?.length === 2);
  for (const c of [65535, 65535, 9120]) device.send({ c, t: 21.6 });
  await eventually('what is out of range is parked', async () => (await live()).parked >= 3);
  await p.api.post('drivers/drivers/acme-aq/versions/1.1.0/canary', { twins: [device.twin] });
  await eventually('the trial is over', async () => {
    device.send({ c: 618, t: 21.5 });
    return (await p.api.get('drivers/drivers/acme-aq')).versions[0].state === 'quarantined';
  });
  return device;
}
