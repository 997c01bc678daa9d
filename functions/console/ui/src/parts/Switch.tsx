import { Switch as Radix } from 'radix-ui';
import s from './Switch.module.css';

/** On or off, at once. `label` is its name. */
export function Switch({
  checked,
  onChange,
  label,
  disabled,
}: {
  checked: boolean;
  onChange: (on: boolean) => void;
  label: string;
  disabled?: boolean;
}) {
  return (
    <Radix.Root
      className={s.switch}
      checked={checked}
      onCheckedChange={onChange}
      aria-label={label}
      disabled={disabled}
    >
      <Radix.Thumb className={s.thumb} />
    </Radix.Root>
  );
}
