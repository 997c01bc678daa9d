import { Button, ButtonLink } from '@/parts/Button';
import form from '@/parts/Form.module.css';
import { addressOf } from './address';
import s from './form.module.css';

/** The end of a form of the enrolment: why it was refused, what it does, and the way back. */
export function FormEnd({ refused, busy, verb }: { refused: string; busy: boolean; verb: string }) {
  return (
    <>
      <p className={form.refused} role="alert">
        {refused}
      </p>
      <div className={s.actions}>
        <Button type="submit" kind="primary" busy={busy}>
          {verb}
        </Button>
        <ButtonLink kind="quiet" href={addressOf({ step: 'type' })}>
          Back
        </ButtonLink>
      </div>
    </>
  );
}
