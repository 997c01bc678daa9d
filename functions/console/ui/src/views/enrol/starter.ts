// What a platform without a device gets in one click, so that any computer can come in.
import { ApiError, api, ok } from '@/api/client';
import type { NewTwin, User } from '@/api/types';
import { has } from '@/parts/useUser';
import type { Given } from './given';
import { makeClaim, makeType } from './make';

/** The type for computers that run castor-agent; `castor up` makes the same for the machine it runs on. */
const host: NewTwin = {
  id: 'host',
  kind: 'type',
  definition: {
    name: 'Computers that run castor-agent',
    model: {
      offlineAfter: '1m',
      properties: [
        { name: 'cpu.percent', unit: '%', min: 0, max: 100, note: 'share of all cores that was busy' },
        { name: 'memory.percent', unit: '%', min: 0, max: 100, note: 'share of the memory in use' },
        { name: 'disk.percent', unit: '%', min: 0, max: 100, note: 'share of the root file system in use' },
        { name: 'load.1', note: 'processes that ran or waited, mean of one minute' },
        { name: 'net.rx', unit: 'By/s' },
        { name: 'net.tx', unit: 'By/s' },
        { name: 'temperature.max', unit: 'Cel', note: 'the hottest sensor, where there is one' },
        { name: 'uptime', unit: 's' },
      ],
    },
  },
};

/** What the first enrolment lacks and the person cannot make. */
class Lacking extends Error {}
const noGroup = 'You belong to no group. Ask a maintainer to put you into one: devices belong to groups.';

/** Makes what the first device needs, each where it is not there yet: type, group, identity, claim. For who may make them: configurators and maintainers. */
export async function enrolFirst(user: User): Promise<Given> {
  const type = await firstType(user);
  const owner = await firstGroup(user);
  const serial = `device-${randomWord()}`;
  return makeClaim(
    {
      type,
      owner: owner.id,
      newOwner: owner.isNew,
      serial,
      pattern: '',
      known: [],
      uses: 1,
      expires: '24h',
      region: '',
      site: '',
    },
    true,
  );
}

async function firstType(user: User): Promise<string> {
  const query = { kind: 'type', limit: 100 } as const;
  const { items } = await ok(api.GET('/function/twins/twins', { params: { query } }));
  const there = items.find((t) => t.id === host.id) ?? items[0];
  if (there) return there.id;
  const owner = user.groups?.[0];
  if (!owner && !has(user, 'maintainer')) throw new Lacking(noGroup);
  const definition = { ...host.definition, ...(owner && { owner }) };
  try {
    return (await makeType({ ...host, definition })).id;
  } catch (e) {
    // There is one that this person may not see.
    if (!(e instanceof ApiError && e.status === 409)) throw e;
    return (await makeType({ ...host, definition, id: `host-${randomWord()}` })).id;
  }
}

async function firstGroup(user: User): Promise<{ id: string; isNew: boolean }> {
  const own = user.groups?.[0];
  if (own) return { id: own, isNew: false };
  const { items } = await ok(api.GET('/function/users/groups', { params: { query: { limit: 1 } } }));
  if (items[0]) return { id: items[0].id, isNew: false };
  if (has(user, 'maintainer')) return { id: 'operators', isNew: true };
  throw new Lacking(noGroup);
}

/** So that two first devices do not take one serial. */
function randomWord(): string {
  return [...crypto.getRandomValues(new Uint8Array(3))].map((b) => b.toString(16).padStart(2, '0')).join('');
}
