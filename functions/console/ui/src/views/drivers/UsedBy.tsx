import type { Twin } from '@/api/types';
import { typeHref } from '@/parts/links';
import { TextLink } from '@/parts/TextLink';
import s from './Drivers.module.css';

/** The types that use a driver, each leading to its page. */
export function UsedBy({ types, most = 50 }: { types: readonly Twin[]; most?: number }) {
  if (types.length === 0) return <span className={s.none}>no type</span>;
  return (
    <ul className={s.types}>
      {types.slice(0, most).map((t) => (
        <li key={t.id}>
          <TextLink href={`${typeHref(t.id)}?tab=driver`}>{t.definition.name || t.id}</TextLink>
        </li>
      ))}
      {types.length > most && <li className={s.none}>and {types.length - most} more</li>}
    </ul>
  );
}
