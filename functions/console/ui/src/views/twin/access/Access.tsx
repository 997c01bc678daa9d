import type { Twin } from '@/api/types';
import s from './Access.module.css';
import { Credentials } from './Credentials';
import { Lifecycle } from './Lifecycle';
import { Place } from './Place';
import { Relayed } from './Relayed';

/** How a device reaches the platform: where it has its place, what it proves itself by, and how that ends. */
export default function Access({ twin }: { twin: Twin }) {
  return (
    <div className={s.page}>
      <Place twin={twin} />
      <Relayed twin={twin} />
      <Credentials twin={twin} />
      <Lifecycle twin={twin} />
    </div>
  );
}
