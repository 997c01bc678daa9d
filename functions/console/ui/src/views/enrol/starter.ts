// What a platform without a device gets in one click, so that any computer can come in.
import { ApiError, api, ok } from '@/api/client';
import type { NewRule, NewTemplate, NewTwin, User } from '@/api/types';
import type { Given } from '@/parts/claim/given';
import { has } from '@/parts/useUser';
import kit from '../../../../../../infra/castor/up/host.json';
import { makeClaim, makeType, once } from './make';

/** The type for computers that run castor-agent, as `castor up` makes it for the machine it runs on: both read this file. */
const host = kit.type as NewTwin;

/** What the first enrolment lacks and the person cannot make. */
class Lacking extends Error {}
const noGroup = 'You belong to no group. Ask a maintainer to put you into one: devices belong to groups.';

/** Makes what the first device needs, each where it is not there yet: type, group, identity, claim. For who may make them: configurators and maintainers. */
export async function enrolFirst(user: User): Promise<Given> {
  const type = await firstType(user);
  const owner = await firstGroup(user);
  const serial = `device-${randomWord()}`;
  return makeClaim({
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
  });
}

async function firstType(user: User): Promise<string> {
  const query = { kind: 'type', q: host.id, limit: 100 } as const;
  const { items } = await ok(api.GET('/function/twins/twins', { params: { query } }));
  const there = items.find((t) => t.id === host.id) ?? items.find((t) => /^host-[0-9a-f]{6}$/.test(t.id));
  if (there) return there.id;
  const owner = user.groups?.[0];
  if (!owner && !has(user, 'maintainer')) throw new Lacking(noGroup);
  await firstTemplate();
  const definition = { ...host.definition, ...(owner && { owner }) };
  try {
    return await typeWithRules({ ...host, definition });
  } catch (e) {
    // There is one that this person may not see.
    if (!(e instanceof ApiError && e.status === 409)) throw e;
    return await typeWithRules({ ...host, definition, id: `host-${randomWord()}` });
  }
}

/** The configuration that the type names; one that is there may have been changed, and stays. */
async function firstTemplate(): Promise<void> {
  const { name, ...body } = kit.template;
  const { items } = await ok(api.GET('/function/configurations/templates', { params: { query: { limit: 1000 } } }));
  if (items.some((t) => t.name === name)) return;
  const path = { name };
  await ok(api.PUT('/function/configurations/templates/{name}', { params: { path }, body: body as NewTemplate }));
}

const makeRule = (body: NewRule) => ok(api.POST('/function/twin-monitor/rules', { body }));

/** The rules' ids are the platform's where the type could not have its own: others have them. */
async function typeWithRules(type: NewTwin): Promise<string> {
  const { id } = await makeType(type);
  for (const { id: own, ...rule } of kit.rules)
    await once(makeRule({ ...rule, ...(id === host.id && { id: own }), target: id } as NewRule));
  return id;
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
