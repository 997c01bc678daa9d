import { expect, it } from 'vitest';
import type { Gateway } from '@/api/types';
import { staying } from './gateways';

const g = (id: string, more: Partial<Gateway> = {}) =>
  ({ id, phase: 'operational', protocol: 'mqtt', url: '', capacity: 10, devices: 7, sessions: 0, ...more }) as Gateway;

it('says before a drain which devices find no place elsewhere', () => {
  const here = g('here');
  expect(staying(here, [here, g('a', { devices: 3 })], 7)).toBeUndefined();
  expect(staying(here, [here, g('a'), g('b', { devices: 12 })], 7)).toEqual({
    count: 4,
    why: 'the others for MQTT have room for 3 only',
  });
  expect(staying(here, [here, g('a', { devices: 10 })], 7)?.why).toBe('the others for MQTT have no room');
  const none = [
    g('a', { protocol: 'grpc' }),
    g('b', { dead: true }),
    g('c', { draining: true }),
    g('d', { phase: 'provisioning' }),
  ];
  expect(staying(here, [here, ...none], 7)).toEqual({ count: 7, why: 'no other gateway for MQTT takes devices' });
  expect(staying(here, [here], 0)).toBeUndefined();
});
