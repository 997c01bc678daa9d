import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Dialog } from '@/parts/Dialog';
import { Listed } from '@/parts/Listed';
import { Failure, Skeleton } from '@/parts/States';
import { Time } from '@/parts/Time';
import { DiffView } from './DiffView';
import { modelText, versionsOf } from './models';
import s from './Versions.module.css';

/** The versions of a model: what each has changed, and back to it. Runs under way keep the version they began with. */
export function Versions({ id, text, onRestore }: { id: string; text: string; onRestore: (text: string) => void }) {
  const versions = useQuery(versionsOf(id));
  const [seen, see] = useState(0);
  const items = versions.data?.items ?? [];
  return (
    <Listed query={versions} count={items.length} empty={null} lines={3}>
      <ul className={s.list}>
        {items.map((v, i) => (
          <li key={v.version} className={s.version}>
            <b>Version {v.version}</b>
            {i === 0 && <Badge tone="accent">newest</Badge>}
            <span className={s.note} dir="auto">
              {v.note}
            </span>
            <span className={s.when}>
              <Time at={v.updated} never="with the platform" />
            </span>
            <Button size="s" onClick={() => see(v.version)}>
              Compare<span className="visually-hidden"> version {v.version} with the text</span>
            </Button>
          </li>
        ))}
      </ul>
      {seen > 0 && (
        <Compare
          id={id}
          version={seen}
          text={text}
          onClose={() => see(0)}
          onRestore={(t) => {
            see(0);
            onRestore(t);
          }}
        />
      )}
    </Listed>
  );
}

function Compare({
  id,
  version,
  text,
  onClose,
  onRestore,
}: {
  id: string;
  version: number;
  text: string;
  onClose: () => void;
  onRestore: (text: string) => void;
}) {
  const old = useQuery(modelText(id, version));
  const was = old.data?.text;
  return (
    <Dialog
      open
      side
      onClose={onClose}
      title={`Version ${version} and the text as it is`}
      note="Lines with − are in the old version only, lines with + in the text only."
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button kind="primary" disabled={was === undefined || was === text} onClick={() => onRestore(was ?? '')}>
            Put version {version} into the editor
          </Button>
        </>
      }
    >
      {old.isError ? (
        <Failure error={old.error} retry={() => void old.refetch()} what="The version could not be read" />
      ) : was === undefined ? (
        <Skeleton lines={8} />
      ) : (
        <DiffView before={was} after={text} label="What differs" />
      )}
    </Dialog>
  );
}
