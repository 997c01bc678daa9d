import { useInfiniteQuery } from '@tanstack/react-query';
import { KeyRound, Plus } from 'lucide-react';
import { useState } from 'react';
import { useSearchParams } from 'wouter';
import type { Claim } from '@/api/types';
import { Button, ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { RevokeClaim } from '@/parts/claim/RevokeClaim';
import { Filter, TextFilter } from '@/parts/Filter';
import { Filters, SearchField } from '@/parts/Filters';
import { count } from '@/parts/format';
import { Listed, More } from '@/parts/Listed';
import { Page } from '@/parts/Page';
import { RowTable } from '@/parts/RowTable';
import { Empty } from '@/parts/States';
import { useKinds } from '@/parts/useKinds';
import { useParam } from '@/parts/useParam';
import { has, useUser } from '@/parts/useUser';
import { useWhole } from '@/parts/useWhole';
import { useGroups } from '@/views/enrol/useGroups';
import { ClaimRow } from './ClaimRow';
import s from './Claims.module.css';
import { claims, matches, newestFirst, states } from './claims';

const step = 100; // rows more at each click

/** All claims: what lets devices ask to come in. */
export default function Claims() {
  const [type, setType] = useParam('type');
  const [owner, setOwner] = useParam('owner');
  const [batch, setBatch] = useParam('batch');
  const [state, setState] = useParam('state');
  const [, setParams] = useSearchParams();
  const [text, setText] = useParam('q');
  const query = useInfiniteQuery(claims({ type, owner, batch, state }));
  useWhole(query, !!text);
  const [most, setMost] = useState(step);
  const [revoking, setRevoking] = useState<Claim>();
  const kinds = useKinds();
  const { groups } = useGroups();
  const may = has(useUser(), 'maintainer', 'configurator', 'owner');
  const read = newestFirst(query.data?.pages.flatMap((p) => p.items) ?? []);
  const found = text ? read.filter((c) => matches(c, text)) : read;
  const shown = found.slice(0, most);
  const filtered = !!(type || owner || batch || state || text);
  const searching = !!text && query.hasNextPage;
  const types = [...kinds.values()]
    .filter((t) => t.kind === 'type')
    .map((t) => ({ id: t.id, label: t.definition.name || t.id }));
  const batches = [...new Set(read.map((c) => c.batch).filter((b): b is string => !!b))].slice(0, 8);
  const fresh = may && (
    <ButtonLink href="/claims/new" kind="primary" icon={<Plus aria-hidden />}>
      New claim
    </ButtonLink>
  );
  return (
    <Page
      title="Claims"
      note="A claim lets devices of a type ask to come in, as often and as long as it says."
      actions={fresh}
    >
      <Filters count={searching ? 'Searching…' : text && `${count(found.length)} of ${count(read.length)}`}>
        <SearchField placeholder="Serial, claim, batch or note" value={text} onChange={setText} />
        <Filter label="State" value={state} choices={states.map((id) => ({ id, label: id }))} onChange={setState} />
        <Filter label="Type" value={type} choices={types} onChange={setType} />
        <Filter label="Owner" value={owner} choices={groups.map((id) => ({ id, label: id }))} onChange={setOwner} />
        <TextFilter label="Batch" value={batch} suggestions={batches} onChange={setBatch} />
      </Filters>
      <Card flush label="Claims">
        <Listed
          query={query}
          count={found.length}
          height={40}
          what="The claims could not be read"
          empty={
            searching ? null : filtered ? (
              <Empty
                title="No claim matches"
                action={<Button onClick={() => setParams({}, { replace: true })}>Clear the filters</Button>}
              />
            ) : (
              <Empty icon={<KeyRound aria-hidden />} title="No claim yet" action={fresh}>
                Make one for a device, a batch of them, or an installer.
              </Empty>
            )
          }
        >
          <RowTable className={s.table}>
            <thead>
              <tr>
                <th scope="col">Lets in</th>
                <th scope="col">Type and owner</th>
                <th scope="col">State</th>
                <th scope="col">Used</th>
                <th scope="col">Until</th>
                <th scope="col">By</th>
                <th scope="col">
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((c) => (
                <ClaimRow key={c.id} claim={c} onRevoke={may ? () => setRevoking(c) : undefined} />
              ))}
            </tbody>
          </RowTable>
        </Listed>
        {(shown.length < found.length || query.hasNextPage) && (
          <More
            busy={query.isFetchingNextPage}
            onClick={() => {
              setMost(most + step);
              if (found.length < most + step && query.hasNextPage) void query.fetchNextPage();
            }}
          >
            Show more
          </More>
        )}
      </Card>
      {revoking && <RevokeClaim claim={revoking} onClose={() => setRevoking(undefined)} />}
    </Page>
  );
}
