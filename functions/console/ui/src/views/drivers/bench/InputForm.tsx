import { Play } from 'lucide-react';
import type { DriverOp } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Select, TextArea, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';
import { Segments } from '@/parts/Segments';
import { toast } from '@/parts/toast';
import { driverOps, eventKinds } from '@/parts/words';
import s from './Bench.module.css';
import { type Encoding, readBytes, write } from './bytes';
import { isThere } from './draft';
import { cannot, type EventKind, likelyData, takesBytes } from './input';
import type { BenchState } from './useBench';

const likely: Record<Encoding, string> = { hex: '08 98 64', base64: 'CJhk', text: '{"temperature": 21.5}' };
const hints: Record<Encoding, string> = {
  hex: 'Blanks, colons and 0x may stand between them.',
  base64: '',
  text: 'JSON, CSV or whatever else the device writes, in UTF-8.',
};

/** What is put into the driver. */
export function InputForm({ bench }: { bench: BenchState }) {
  const { input: i, setInput, faults, running } = bench;
  const bytes = takesBytes(i.op);
  const commanded = i.op === 'encodeDownlink' && i.command.trim() !== '';
  // What can be read in one way is written in the other.
  const encode = (encoding: Encoding) => {
    const read = readBytes(i.bytes, i.encoding);
    const bytes = read.bytes && write(read.bytes, encoding);
    if (read.bytes && bytes === undefined) toast.failed('Not shown as text', new Error('these bytes are none.'));
    else setInput({ encoding, ...(bytes !== undefined && { bytes }) });
  };
  return (
    <Card
      title="In"
      actions={
        bytes && (
          <Segments
            label="Bytes are written as"
            value={i.encoding}
            onChange={encode}
            items={[
              { id: 'hex', label: 'Hex' },
              { id: 'base64', label: 'Base64' },
              { id: 'text', label: 'Text' },
            ]}
          />
        )
      }
    >
      <form
        className={form.form}
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          bench.run();
        }}
      >
        <Select
          label="Do"
          error={faults.op}
          value={i.op}
          onChange={(e) => setInput({ op: e.target.value as DriverOp })}
        >
          {driverOps.map(([op, words]) => {
            const never = cannot(op, bench.draft.kind);
            return (
              <option key={op} value={op} disabled={!!never}>
                {words}
                {never && ` – ${never}`}
              </option>
            );
          })}
        </Select>
        {bytes ? (
          <TextArea
            label={i.encoding === 'text' ? 'Text' : 'Bytes'}
            className={s.mono}
            rows={3}
            placeholder={likely[i.encoding]}
            hint={hints[i.encoding]}
            error={faults.bytes}
            spellCheck={false}
            value={i.bytes}
            onChange={(e) => setInput({ bytes: e.target.value })}
          />
        ) : (
          <>
            {i.op === 'encodeDownlink' && (
              <TextField
                label="Command"
                className={s.mono}
                maxLength={64}
                placeholder="none"
                hint="Its name, as people send it. Without one the driver gets the data as they are."
                error={faults.command}
                value={i.command}
                onChange={(e) => setInput({ command: e.target.value })}
              />
            )}
            {i.op === 'onEvent' && (
              <Select
                label="The device has said"
                value={i.event}
                onChange={(e) => setInput({ event: e.target.value as EventKind })}
              >
                {eventKinds.map(([kind, words]) => (
                  <option key={kind} value={kind}>
                    {words}
                  </option>
                ))}
              </Select>
            )}
            <TextArea
              label={commanded ? 'Input as JSON' : 'Data as JSON'}
              className={s.mono}
              rows={4}
              placeholder={likelyData(i)}
              hint={commanded && 'What the command is given; empty = nothing.'}
              error={faults.data}
              spellCheck={false}
              value={i.data}
              onChange={(e) => setInput({ data: e.target.value })}
            />
            {i.op === 'onEvent' && (
              <TextField
                label="State"
                className={s.mono}
                placeholder="none yet"
                hint="What it answered last, in hexadecimal digits."
                error={faults.state}
                value={i.state}
                onChange={(e) => setInput({ state: e.target.value })}
              />
            )}
          </>
        )}
        <div className={s.fields}>
          <TextField
            label="Port"
            inputMode="numeric"
            maxLength={3}
            placeholder="none"
            error={faults.port}
            value={i.port}
            onChange={(e) => setInput({ port: e.target.value })}
          />
          <TextField
            label="Topic"
            maxLength={512}
            placeholder="none"
            value={i.topic}
            onChange={(e) => setInput({ topic: e.target.value })}
          />
          <TextField
            label="Time"
            maxLength={40}
            placeholder="now"
            error={faults.time}
            value={i.time}
            onChange={(e) => setInput({ time: e.target.value })}
          />
        </div>
        <TextField
          label="Variables"
          className={s.mono}
          placeholder="none"
          hint="On the platform the type’s parameters, like {&quot;offset&quot;: &quot;0.5&quot;}."
          error={faults.variables}
          value={i.variables}
          onChange={(e) => setInput({ variables: e.target.value })}
        />
        <div className={s.run}>
          <Button
            type="submit"
            kind="primary"
            icon={<Play aria-hidden />}
            busy={running.busy}
            disabled={!isThere(bench.draft)}
          >
            Run
          </Button>
          <span className={s.hint}>
            <kbd>Ctrl</kbd> <kbd>Enter</kbd>
          </span>
        </div>
      </form>
    </Card>
  );
}
