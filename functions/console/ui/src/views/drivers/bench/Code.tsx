import { FileUp } from 'lucide-react';
import { useRef } from 'react';
import type { Fault } from '@/api/problem';
import type { DriverKind } from '@/api/types';
import { Button } from '@/parts/Button';
import { CodeArea } from '@/parts/CodeArea';
import { count } from '@/parts/format';
import { Segments } from '@/parts/Segments';
import { toast } from '@/parts/toast';
import { driverKindWord } from '@/parts/words';
import s from './Bench.module.css';
import { fromBase64, toBase64 } from './bytes';
import { type Draft, examples } from './draft';

const kinds: DriverKind[] = ['javascript', 'declarative', 'wasm'];
const most = { text: 2 << 20, module: 16 << 20 }; // bytes that the platform takes

/** The code of a driver: text to be written or pasted, or a module from a file. */
export function Code({
  draft: d,
  fixed,
  faults,
  onChange,
}: {
  draft: Draft;
  /** It is a published driver's next version, which is of the same kind. */
  fixed: boolean;
  /** What the platform found wrong with it, as it was run. */
  faults: readonly Fault[];
  onChange: (change: Partial<Draft>) => void;
}) {
  const file = useRef<HTMLInputElement>(null);
  const read = async (f: File) => {
    const module = /\.wasm$/i.test(f.name);
    const limit = module ? most.module : most.text;
    if (f.size > limit) {
      toast.failed('Not read', new Error(`${f.name.slice(0, 80)} has more than ${limit >> 20} MiB`));
      return;
    }
    const bytes = new Uint8Array(await f.arrayBuffer());
    if (module) onChange({ kind: 'wasm', module: toBase64(bytes), text: '' });
    else {
      const kind = /\.ya?ml$|\.json$/i.test(f.name) ? 'declarative' : 'javascript';
      onChange({
        kind: fixed ? d.kind : kind,
        text: new TextDecoder().decode(bytes).replace(/\r\n?/g, '\n'),
        module: '',
      });
    }
  };
  // What was only the example makes room for the other one; what was written stays.
  const choose = (kind: DriverKind) => {
    const untouched = d.text === examples[d.kind].text;
    onChange({ kind, ...(untouched && { text: examples[kind].text }) });
  };
  return (
    <>
      <div className={s.kinds}>
        {fixed ? (
          <span>{driverKindWord(d.kind)}</span>
        ) : (
          <Segments
            label="Kind"
            value={d.kind}
            onChange={choose}
            items={kinds.map((id) => ({ id, label: driverKindWord(id) }))}
          />
        )}
        <Button size="s" kind="quiet" icon={<FileUp aria-hidden />} onClick={() => file.current?.click()}>
          From a file
        </Button>
        <input
          ref={file}
          type="file"
          hidden
          accept=".js,.yaml,.yml,.json,.wasm"
          onChange={(e) => {
            const f = e.target.files?.[0];
            e.target.value = '';
            if (f) void read(f);
          }}
        />
      </div>
      {d.kind === 'wasm' ? (
        <p className={s.module}>
          {d.module ? (
            <>A core module of {count(fromBase64(d.module).length)} bytes.</>
          ) : (
            <>
              A WebAssembly core module, from a file. <code>castor driver new --kind wasm-go</code> begins one.
            </>
          )}
        </p>
      ) : (
        <CodeArea
          label={d.kind === 'javascript' ? 'The codec in JavaScript' : 'The document in YAML'}
          text={d.text}
          faults={faults}
          onChange={(text) => onChange({ text })}
        />
      )}
    </>
  );
}
