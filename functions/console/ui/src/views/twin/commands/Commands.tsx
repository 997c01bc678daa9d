import { useQueryClient } from '@tanstack/react-query';
import { Radio, Terminal } from 'lucide-react';
import { useState } from 'react';
import { api, ok } from '@/api/client';
import type { Command, Twin } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { took } from '@/parts/format';
import { Listed } from '@/parts/Listed';
import { Empty } from '@/parts/States';
import { Time } from '@/parts/Time';
import { toast } from '@/parts/toast';
import { actor } from '@/parts/words';
import about from '../about/About.module.css';
import { useTypeOf } from '../useTypeOf';
import s from './Commands.module.css';
import { Ping } from './Ping';
import { Reactions } from './Reactions';
import { StateBadge } from './StateBadge';
import { over, useCommands } from './useCommands';

/** What the device was asked to do, and what became of it. */
export default function Commands({ twin }: { twin: Twin }) {
  const reacts = useTypeOf(twin).type?.definition.model?.reacts;
  const [pinging, setPinging] = useState(false);
  const query = useCommands(twin.id);
  const items = query.data?.items ?? [];
  const ping = (
    <Button size="s" icon={<Radio aria-hidden />} onClick={() => setPinging(true)}>
      Ping
    </Button>
  );
  return (
    <div className={about.page}>
      {reacts && <Reactions twin={twin} />}
      <Card title="Commands" flush actions={items.length > 0 && ping}>
        <Listed
          query={query}
          count={items.length}
          empty={
            <Empty icon={<Terminal aria-hidden />} title="No command yet" action={ping}>
              Ask the device something, here or with <code>castor command send {twin.id} NAME</code>.
            </Empty>
          }
        >
          <ul>
            {items.map((c) => (
              <Row key={c.id} command={c} />
            ))}
          </ul>
        </Listed>
        {pinging && <Ping twin={twin.id} onClose={() => setPinging(false)} />}
      </Card>
    </div>
  );
}

function Row({ command: c }: { command: Command }) {
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const cancel = async () => {
    setBusy(true);
    try {
      await ok(api.POST('/function/twin-command/commands/{id}/cancel', { params: { path: { id: c.id } } }));
      await queries.invalidateQueries({ queryKey: ['commands', c.twin] });
    } catch (e) {
      toast.failed('Not cancelled', e);
    } finally {
      setBusy(false);
    }
  };
  const said = c.output === undefined || c.output === null ? '' : JSON.stringify(c.output);
  return (
    <li className={s.row}>
      <b dir="auto">{c.name}</b>
      <StateBadge command={c} />
      <span className={s.said}>
        {c.reason && <span dir="auto">{c.reason}</span>}
        {said && <code title={said.slice(0, 2000)}>{said.slice(0, 400)}</code>}
      </span>
      <span className={s.by}>
        <bdi>{actor(c.by)}</bdi> · <Time at={c.created} />
        {c.ended && ` · took ${took(Date.parse(c.ended) - Date.parse(c.created))}`}
      </span>
      {!over(c) && (
        <Button size="s" busy={busy} onClick={cancel}>
          Cancel
        </Button>
      )}
    </li>
  );
}
