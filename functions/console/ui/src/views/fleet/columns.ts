import type { Column } from '@/parts/VirtualTable';
import type { Kind } from './useFilters';

const name: Column = { id: 'name', heading: 'Name', width: 160, grow: 2.4, sort: 'name' };
const id: Column = { id: 'id', heading: 'Id', width: 150, grow: 1, spare: 3, sort: 'id' };
const owner: Column = { id: 'owner', heading: 'Owner', width: 110, grow: 0.6, spare: 4 };
const tags: Column = { id: 'tags', heading: 'Tags', width: 130, grow: 1, spare: 6 };
const created: Column = { id: 'created', heading: 'Created', width: 124, spare: 5, sort: 'created', down: true };

/** All columns of each kind of twin, in their order. */
export const columnsOf: Record<Kind, readonly Column[]> = {
  devices: [
    name,
    id,
    { id: 'type', heading: 'Type', width: 110, grow: 0.8, spare: 2 },
    { id: 'phase', heading: 'Phase', width: 108, spare: 1 },
    { id: 'presence', heading: 'Presence', width: 84 },
    { id: 'reading', heading: 'Newest reading', width: 132, grow: 1.2 },
    { id: 'lastSeen', heading: 'Last contact', width: 112, sort: 'lastSeen', down: true },
    { id: 'alarms', heading: 'Alarms', width: 72 },
    owner,
    tags,
    created,
  ],
  types: [
    name,
    id,
    { id: 'instances', heading: 'Devices', width: 80 },
    { id: 'properties', heading: 'Properties', width: 200, grow: 1.6 },
    { id: 'offlineAfter', heading: 'Offline after', width: 100 },
    owner,
    tags,
    created,
  ],
  groups: [name, id, { id: 'members', heading: 'Devices', width: 100 }, owner, tags, created],
};

/** What a phone shows: everything about a twin in two lines. */
export const narrow: readonly Column[] = [{ id: 'summary', heading: 'Name and state', width: 0, grow: 1 }];

/** Columns that are not shown until somebody asks for them. */
export const hiddenAtFirst: readonly string[] = ['id', 'owner', 'created', 'offlineAfter'];

/** Those that are shown: the first always. */
export function shown(kind: Kind, hidden: readonly string[]): readonly Column[] {
  return columnsOf[kind].filter((c, i) => i === 0 || !hidden.includes(c.id));
}
