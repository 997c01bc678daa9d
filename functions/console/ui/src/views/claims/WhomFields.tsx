import { FileUp } from 'lucide-react';
import { useRef } from 'react';
import { Button } from '@/parts/Button';
import { TextArea, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';
import { plural } from '@/parts/format';
import { type Option, Options } from '@/parts/Options';
import { toast } from '@/parts/toast';
import s from './NewClaim.module.css';
import { serialsIn, type Whom, type Wish } from './wish';

const ways: Option<Whom>[] = [
  { id: 'pattern', title: 'A pattern of serials', about: 'All whose serials match, like P-*.' },
  { id: 'named', title: 'Named serials', about: 'One claim for a list that is pasted, or read from a file.' },
  { id: 'labels', title: 'A claim for each serial', about: 'Labels to print, each good for one device.' },
  { id: 'any', title: 'Any serial', about: 'Every device of the type whose serial is known.' },
];

const most = 1024 * 1024; // bytes of a file

/** Which devices a claim lets in, and how many. */
export function WhomFields({
  w,
  set,
  fault,
}: {
  w: Wish;
  set: (change: Partial<Wish>) => void;
  fault: (field: keyof Wish) => string | undefined;
}) {
  const input = useRef<HTMLInputElement>(null);
  const listed = w.whom === 'named' || w.whom === 'labels';
  const read = async (f: File) => {
    if (f.size > most) toast.failed('Not read', new Error(`${f.name.slice(0, 80)} has more than 1 MiB`));
    else set({ serials: serialsIn(await f.text()).join('\n') });
  };
  return (
    <fieldset className={form.set}>
      <legend>Which devices</legend>
      <Options options={ways} value={w.whom} onChange={(way) => set({ whom: way })} />
      {w.whom === 'pattern' && (
        <TextField
          label="Pattern"
          placeholder="P-*"
          hint="* stands for any characters, ? for one."
          maxLength={64}
          dir="auto"
          value={w.pattern}
          error={fault('pattern')}
          onChange={(e) => set({ pattern: e.target.value })}
        />
      )}
      {listed && (
        <div className={s.serials}>
          <TextArea
            label="Serials"
            rows={5}
            placeholder={'P-1\nP-2'}
            hint={`One a line; ${plural(serialsIn(w.serials).length, 'serial')}.`}
            dir="auto"
            value={w.serials}
            error={fault('serials')}
            onChange={(e) => set({ serials: e.target.value })}
          />
          <Button size="s" icon={<FileUp aria-hidden />} onClick={() => input.current?.click()}>
            From a file
          </Button>
          <label className={form.check}>
            <input type="checkbox" checked={w.known} onChange={(e) => set({ known: e.target.checked })} />
            Make these serials known to the platform (up to 200)
          </label>
          <input
            ref={input}
            type="file"
            hidden
            accept=".txt,.csv,text/plain,text/csv"
            onChange={(e) => {
              const f = e.target.files?.[0];
              e.target.value = '';
              if (f) void read(f);
            }}
          />
        </div>
      )}
      {w.whom !== 'labels' && (
        <TextField
          label="Uses"
          inputMode="numeric"
          placeholder={w.whom === 'named' ? 'as many as serials' : '1'}
          hint="How many devices may come in with it."
          maxLength={6}
          value={w.uses}
          error={fault('uses')}
          onChange={(e) => set({ uses: e.target.value })}
        />
      )}
    </fieldset>
  );
}
