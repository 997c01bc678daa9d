import { Tooltip as Radix } from 'radix-ui';
import type { ReactNode } from 'react';
import s from './Tooltip.module.css';

/** Says more about what is pointed at or focused. `text` must not be the only place where something needful stands. */
export function Tooltip({
  text,
  children,
  side,
}: {
  text: ReactNode;
  children: ReactNode;
  side?: 'top' | 'right' | 'bottom' | 'left';
}) {
  return (
    <Radix.Root>
      <Radix.Trigger asChild>{children}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className={s.tip} sideOffset={6} side={side} collisionPadding={8}>
          {text}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

export const TooltipProvider = Radix.Provider;
