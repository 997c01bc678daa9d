import { FlaskConical } from 'lucide-react';
import { useLocation } from 'wouter';
import type { ParkedMessage } from '@/api/types';
import { Button } from '@/parts/Button';
import { driverHref } from '@/parts/links';
import { fromParked } from '../bench/input';

/**
 * Opens a parked message in the bench of its driver. The bytes go by the history's state and not by the address: they may be many, and
 * addresses are kept in logs.
 */
export function BenchLink({
  driver,
  version,
  message: m,
}: {
  driver: string;
  version: string;
  message: ParkedMessage;
}) {
  const [, go] = useLocation();
  return (
    <Button
      size="s"
      icon={<FlaskConical aria-hidden />}
      onClick={() => go(driverHref(driver, 'bench', version ? { version } : {}), { state: { input: fromParked(m) } })}
    >
      Open in the bench<span className="visually-hidden">: the message of {m.received}</span>
    </Button>
  );
}
