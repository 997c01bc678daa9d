import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { api, ok } from '@/api/client';
import { Button } from '@/parts/Button';
import { Facts } from '@/parts/Card';
import { CodeBlock } from '@/parts/Copy';
import { Dialog } from '@/parts/Dialog';
import { took } from '@/parts/format';
import { Failure, Skeleton } from '@/parts/States';
import { StateBadge } from './StateBadge';
import { over, useCommand } from './useCommands';

const timeout = '30s';

/** Asks a device for its time, and shows what it says. */
export function Ping({ twin, onClose }: { twin: string; onClose: () => void }) {
  const [id, setId] = useState('');
  const [error, setError] = useState<unknown>();
  const queries = useQueryClient();
  const send = useCallback(async () => {
    setId('');
    setError(undefined);
    try {
      const body = { twin, name: 'ping', timeout, repeatable: true };
      setId((await ok(api.POST('/function/twin-command/commands', { body }))).id);
      void queries.invalidateQueries({ queryKey: ['commands', twin] });
    } catch (e) {
      setError(e);
    }
  }, [twin, queries]);
  const sent = useRef(false);
  useEffect(() => {
    if (sent.current) return; // once for each time it is opened
    sent.current = true;
    void send();
  }, [send]);
  const command = useCommand(id).data;
  const done = command && over(command);
  return (
    <Dialog
      open
      onClose={onClose}
      title="Ping"
      note={`Waits ${timeout} for the device’s answer; closing this does not cancel it.`}
      footer={
        <>
          <Button onClick={send} disabled={!done && !error}>
            Again
          </Button>
          <Button kind="primary" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      {error ? (
        <Failure error={error} what="The command was not sent" />
      ) : !command ? (
        <Skeleton lines={2} />
      ) : (
        <div aria-live="polite" style={{ display: 'grid', gap: 'var(--s3)' }}>
          <Facts
            items={[
              ['State', <StateBadge key="state" command={command} />],
              ...(command.ended
                ? [['Took', took(Date.parse(command.ended) - Date.parse(command.created))] as [string, string]]
                : []),
              ...(command.reason ? [['Reason', command.reason] as [string, string]] : []),
            ]}
          />
          {command.output !== undefined && command.output !== null && (
            <CodeBlock code={JSON.stringify(command.output, null, 2)} label="answer" />
          )}
        </div>
      )}
    </Dialog>
  );
}
