import { TextArea, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';

import type { Wanted } from './wanted';

/** Which of several devices may come in, and how many. */
export function Several({
  w,
  set,
  fault,
}: {
  w: Wanted;
  set: (change: Partial<Wanted>) => void;
  fault: (field: string) => string | undefined;
}) {
  return (
    <>
      <div className={form.two}>
        <TextField
          label="Serials like"
          placeholder="P-*"
          hint="* stands for any text, ? for one character."
          maxLength={64}
          value={w.pattern}
          error={fault('pattern')}
          onChange={(e) => set({ pattern: e.target.value })}
        />
        <TextField
          label="How many may come in"
          inputMode="numeric"
          maxLength={6}
          value={w.uses}
          error={fault('uses')}
          onChange={(e) => set({ uses: e.target.value })}
        />
      </div>
      <TextArea
        label="Serials to make known now"
        hint="One a line, at most 100; they will be made known. A device whose serial is not known is turned away; those that are known already need not be here. For many more: castor identity import."
        value={w.known}
        error={fault('known')}
        onChange={(e) => set({ known: e.target.value })}
      />
    </>
  );
}
