import { CornerLeftUp, FlaskConical, ListPlus } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { DriverOp, DriverResult } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { CodeBlock } from '@/parts/Copy';
import { TextField } from '@/parts/Field';
import { Refused } from '@/parts/Refused';
import { Empty } from '@/parts/States';
import { failureWords } from '@/parts/words';
import s from './Bench.module.css';
import { fromBase64, hexOf, textOf } from './bytes';
import type { BenchState } from './useBench';

/** What came out of the driver. */
export function Result({ bench }: { bench: BenchState }) {
  const [adding, setAdding] = useState(false);
  const { ran, running, stale } = bench;
  const r = ran?.result;
  return (
    <Card
      title="Out"
      note={stale ? 'of an earlier input' : undefined}
      actions={
        r &&
        !r.failure && (
          <Button size="s" icon={<ListPlus aria-hidden />} onClick={() => setAdding(true)}>
            Add as a test…
          </Button>
        )
      }
    >
      <section aria-label="What came out" aria-busy={running.busy} className={s.result}>
        {running.refused ? (
          <Refused reason={running.refused} faults={running.faults} />
        ) : r ? (
          <Outcome op={ran.call.op} result={r} took={ran.took} onState={(state) => bench.setInput({ state })} />
        ) : (
          <Empty icon={<FlaskConical aria-hidden />} title="Nothing was run yet">
            What the platform’s own sandbox makes of the message stands here. Nothing is stored, and no device hears of
            it.
          </Empty>
        )}
      </section>
      {adding && <AddTest bench={bench} onClose={() => setAdding(false)} />}
    </Card>
  );
}

const plain = (text: string) => text.toLowerCase().replace(/[.\s]+$/, '');
const alike = (a: string, b: string) => plain(a) === plain(b);

const done: Partial<Record<DriverOp, string>> = {
  encodeDownlink: 'written',
  normalizeUplink: 'normalised',
  onEvent: 'handled',
};

function Outcome({
  op,
  result: r,
  took,
  onState,
}: {
  op: DriverOp;
  result: DriverResult;
  took?: number;
  /** Gives the next event the state that this one has left. */
  onState: (state: string) => void;
}) {
  const good = !r.failure && !r.errors?.length;
  const text = textOf(fromBase64(r.bytes ?? ''));
  const nothing = good && r.data === undefined && r.bytes === undefined && !r.records?.length && !r.commands?.length;
  return (
    <>
      <p className={s.outcome} role="status">
        <Badge tone={good ? (r.warnings?.length ? 'warning' : 'ok') : 'critical'} dot>
          {good ? (done[op] ?? 'read') : r.failure ? 'failed' : 'error'}
        </Badge>
        {r.failure && <b>{failureWords(r.failure)}</b>}
        {took !== undefined && (
          <span className={s.hint}>{took < 1 ? 'under 1' : took.toFixed(took < 10 ? 1 : 0)} ms</span>
        )}
      </p>
      {r.reason && !(r.failure && alike(r.reason, failureWords(r.failure))) && (
        <p className={s.bad} dir="auto">
          {r.reason}
        </p>
      )}
      <Lines title="Errors" of={r.errors} className={s.bad} />
      <Lines title="Warnings" of={r.warnings} className={s.warn} />
      {nothing && <p className={s.hint}>{nothingWords(op)}</p>}
      {r.data !== undefined && <Json title="Data" value={r.data} />}
      {!!r.records?.length && <Json title="Values of other times" value={r.records} />}
      {r.bytes !== undefined && (
        <Part title="Bytes">
          <CodeBlock label="bytes" code={hexOf(r.bytes) || '(none)'} />
          {text && <CodeBlock label="bytes as text" code={text} />}
        </Part>
      )}
      {(!!r.port || !!r.topic) && (
        <p className={s.hint}>
          {!!r.port && <>to port {r.port} </>}
          {r.topic && (
            <>
              to topic <code>{r.topic}</code>
            </>
          )}
        </p>
      )}
      {r.time && !r.time.startsWith('0001') && (
        <p className={s.hint}>
          measured at <code>{r.time}</code>
        </p>
      )}
      {!!r.commands?.length && <Json title="Commands" value={r.commands} />}
      {r.state !== undefined && (
        <Part title="State for the next event">
          <CodeBlock label="state" code={hexOf(r.state) || '(none)'} />
          <Button size="s" icon={<CornerLeftUp aria-hidden />} onClick={() => onState(hexOf(r.state))}>
            Give it to the next event
          </Button>
        </Part>
      )}
      <Lines title="Log" of={r.log} />
    </>
  );
}

function nothingWords(op: DriverOp): string {
  if (op === 'onEvent') return 'No command is sent.';
  if (op === 'encodeDownlink') return 'No bytes: nothing can be sent to the device.';
  return 'No data: the message is taken, and nothing of it is kept.';
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className={s.part}>
      <h3>{title}</h3>
      {children}
    </div>
  );
}

function Json({ title, value }: { title: string; value: unknown }) {
  return (
    <Part title={title}>
      <CodeBlock label={title.toLowerCase()} code={JSON.stringify(value, null, 2)} />
    </Part>
  );
}

function Lines({ title, of, className }: { title: string; of?: readonly string[]; className?: string }) {
  if (!of?.length) return null;
  return (
    <Part title={title}>
      <ul className={className}>
        {of.map((line, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: made anew by every run
          <li key={i} dir="auto">
            {line}
          </li>
        ))}
      </ul>
    </Part>
  );
}

function AddTest({ bench, onClose }: { bench: BenchState; onClose: () => void }) {
  const [name, setName] = useState('');
  const taken = bench.draft.tests.some((t) => t.name === name.trim());
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Add a test"
      note="The input and what came out just now: from then on a version in which something else comes out is refused."
      verb="Add"
      disabled={!name.trim() || taken}
      work={async () => bench.addTest(name.trim())}
    >
      <TextField
        label="Name"
        placeholder="frost"
        maxLength={120}
        error={taken ? 'There is a test of that name.' : ''}
        value={name}
        onChange={(e) => setName(e.target.value)}
      />
    </ConfirmDialog>
  );
}
