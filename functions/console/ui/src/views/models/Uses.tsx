import { Link } from 'wouter';
import { typeHref } from '@/parts/links';
import s from './Models.module.css';
import type { Use } from './models';

/** The types that use a model, and by which condition. */
export function Uses({ uses, most = uses.length }: { uses: Use[]; most?: number }) {
  return (
    <ul className={s.types}>
      {uses.slice(0, most).map((u) => (
        <li key={`${u.type.id} ${u.condition}`}>
          <Link href={`${typeHref(u.type.id)}?tab=provisioning`} className={s.type}>
            <bdi>{u.type.definition.name || u.type.id}</bdi>
          </Link>
          {u.condition && (
            <>
              {' '}
              if <code title={u.condition}>{u.condition}</code>
            </>
          )}
        </li>
      ))}
      {uses.length > most && <li className={s.none}>and {uses.length - most} more</li>}
    </ul>
  );
}
