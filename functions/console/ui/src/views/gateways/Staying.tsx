import { plural } from '@/parts/format';
import s from './GatewayView.module.css';

/** Which devices a drain leaves where they are, and until when. */
export function Staying({ count, why }: { count: number; why: string }) {
  return (
    <p className={s.staying} role="note">
      <b>
        {plural(count, 'device')} stay{count === 1 && 's'} here,
      </b>{' '}
      and {count === 1 ? 'is' : 'are'} let in here, until there is a place: {why}.
    </p>
  );
}
