import { useQuery } from '@tanstack/react-query';
import { useHistoryState } from 'wouter/use-browser-location';
import type { Driver } from '@/api/types';
import { Select } from '@/parts/Field';
import { Failure, Skeleton } from '@/parts/States';
import { useParam } from '@/parts/useParam';
import { sourceOf, usedOf } from '../drivers';
import { useMayPublish } from '../useMayPublish';
import { Bench } from './Bench';
import { draftOf } from './draft';
import type { Input } from './input';
import b from './VersionBench.module.css';

/** The bench with a version of a driver, the one that most devices use at first. */
export function VersionBench({ driver: d }: { driver: Driver }) {
  const [chosen, choose] = useParam('version');
  const may = useMayPublish(d.owner) && !d.key;
  const carried = useHistoryState<{ input?: Input } | null>()?.input;
  const version = d.versions.some((v) => v.version === chosen) ? chosen : (usedOf(d)?.version ?? '');
  const query = useQuery(sourceOf(d.name, version));
  return (
    <div className={b.page}>
      <div className={b.choice}>
        <Select label="Version" value={version} onChange={(e) => choose(e.target.value)}>
          {d.versions.map((v) => (
            <option key={v.version} value={v.version}>
              {v.version} ({v.state})
            </option>
          ))}
        </Select>
        {d.key && (
          <p>Its maker signs its versions: a change can be tried here, and is published by castor driver publish.</p>
        )}
      </div>
      {query.data ? (
        <Bench
          key={`${version} ${carried?.time ?? ''}`}
          begin={draftOf(query.data)}
          published={{ name: d.name, version }}
          owner={d.owner ?? ''}
          versions={d.versions.map((v) => v.version)}
          may={may}
          input={carried}
        />
      ) : query.isPending ? (
        <Skeleton lines={8} />
      ) : (
        <Failure error={query.error} what="The version could not be read" retry={() => void query.refetch()} />
      )}
    </div>
  );
}
