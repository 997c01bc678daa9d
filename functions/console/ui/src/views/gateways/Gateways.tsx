import { useQuery } from '@tanstack/react-query';
import { Router } from 'lucide-react';
import type { Gateway } from '@/api/types';
import { Card } from '@/parts/Card';
import { Filter } from '@/parts/Filter';
import { Filters } from '@/parts/Filters';
import { count, plural } from '@/parts/format';
import { Listed } from '@/parts/Listed';
import { Page } from '@/parts/Page';
import { RowName, RowNote } from '@/parts/RowName';
import { RowTable } from '@/parts/RowTable';
import { Empty } from '@/parts/States';
import { useParam } from '@/parts/useParam';
import s from './Gateways.module.css';
import { allGateways, gatewayHref, healthOf, protocolName } from './gateways';
import { Health } from './Health';
import { Load } from './Load';

const phases = [
  { id: 'operational', label: 'operational' },
  { id: 'provisioning', label: 'provisioning' },
];
const healths = ['alive', 'draining', 'dead'].map((id) => ({ id, label: id }));

/** The gateways that devices come in by: how full each is, and how it is. */
export default function Gateways() {
  const query = useQuery(allGateways);
  const [phase, setPhase] = useParam('phase');
  const [protocol, setProtocol] = useParam('protocol');
  const [health, setHealth] = useParam('health');
  const all = query.data ?? [];
  const found = all.filter(
    (g) =>
      (!phase || g.phase === phase) &&
      (!protocol || g.protocol === protocol) &&
      (!health || healthOf(g).word === health),
  );
  const protocols = [...new Set(all.map((g) => g.protocol))].sort().map((id) => ({ id, label: protocolName(id) }));
  return (
    <Page
      title="Gateways"
      note="Devices ask to come in at provisioning gateways, and have their place at an operational one."
    >
      <Filters
        count={
          query.data &&
          (found.length === all.length ? plural(all.length, 'gateway') : `${count(found.length)} of ${all.length}`)
        }
      >
        <Filter label="Phase" value={phase} choices={phases} onChange={setPhase} />
        <Filter label="Protocol" value={protocol} choices={protocols} onChange={setProtocol} />
        <Filter label="Health" value={health} choices={healths} onChange={setHealth} />
      </Filters>
      <Card flush label="Gateways">
        <Listed
          query={query}
          count={found.length}
          height={44}
          what="The gateways could not be read"
          empty={
            <Empty icon={<Router aria-hidden />} title={all.length ? 'No gateway matches' : 'No gateway yet'}>
              {all.length === 0 && 'A gateway makes itself known when it starts.'}
            </Empty>
          }
        >
          <RowTable className={s.table}>
            <thead>
              <tr>
                <th scope="col">Gateway</th>
                <th scope="col">Protocol</th>
                <th scope="col">Phase</th>
                <th scope="col">Region</th>
                <th scope="col">Devices</th>
                <th scope="col">Connected</th>
                <th scope="col">Health</th>
              </tr>
            </thead>
            <tbody>
              {found.map((g) => (
                <Row key={g.id} gateway={g} />
              ))}
            </tbody>
          </RowTable>
        </Listed>
      </Card>
    </Page>
  );
}

function Row({ gateway: g }: { gateway: Gateway }) {
  const region = g.location?.region || g.region;
  return (
    <tr>
      <td className={s.which}>
        <RowName href={gatewayHref(g.id)}>{g.id}</RowName>
        <RowNote title={g.url}>{g.url}</RowNote>
      </td>
      <td className={s.protocol}>{protocolName(g.protocol)}</td>
      <td className={s.phase}>{g.phase}</td>
      <td className={s.region}>{region ? <bdi>{region}</bdi> : <span className={s.none}>–</span>}</td>
      <td className={s.load}>{g.phase === 'operational' ? <Load gateway={g} /> : <span className={s.none}>–</span>}</td>
      <td className={s.sessions}>
        {count(g.sessions)}
        <span className={s.phone}> connected</span>
      </td>
      <td className={s.health}>
        <Health gateway={g} />
      </td>
    </tr>
  );
}
