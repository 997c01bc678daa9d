import type { Person, Platform } from './platform';

/** Makes a user of a group (made if it is not there) and returns who it is. */
export async function makePerson(p: Platform, name: string, roles: string[], group: string, groupName = group): Promise<Person> {
  if (!(await p.api.all('users/groups')).some((g) => g.id === group)) await p.api.post('users/groups', { id: group, name: groupName });
  const password = `a-long-one-for-${name}-4711`;
  await p.api.post('users/users', { id: name, name: `${name[0]!.toUpperCase()}${name.slice(1)}`, roles, groups: [group], password });
  return { name, password };
}

/** Changes a twin's definition. */
export const change = (p: Platform, twin: string, definition: object) =>
  p.api.patch(`twins/twins/${encodeURIComponent(twin)}/definition`, definition);

/** Sets a threshold on a twin, a type or a group; returns the rule's id. */
export async function setRule(p: Platform, target: string, condition: string, severity = 'warning', name = ''): Promise<string> {
  const r = await p.api.post<{ id: string }>('twin-monitor/rules', { target, condition, severity, name });
  return r.id;
}
