import { Upload } from 'lucide-react';
import { type KeyboardEvent, useState } from 'react';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import s from './Bench.module.css';
import { Code } from './Code';
import { type Draft, isThere } from './draft';
import { InputForm } from './InputForm';
import type { Input } from './input';
import { Publish } from './Publish';
import { Result } from './Result';
import { Tests } from './Tests';
import { useBench } from './useBench';

/**
 * The test bench: a driver, published or being written; a message in, values out, through the platform's own sandbox; its tests; and
 * how it becomes a version.
 */
export function Bench({
  begin,
  published,
  owner,
  versions = [],
  may,
  input,
}: {
  begin: Draft;
  /** The version that it begins with. */
  published?: { name: string; version: string };
  /** The group that it belongs to; undefined if it is a new one. */
  owner?: string;
  /** All that there are of the driver. */
  versions?: readonly string[];
  /** The person may publish. */
  may: boolean;
  /** What is put in first. */
  input?: Input;
}) {
  const bench = useBench(begin, published, input);
  const [publishing, setPublishing] = useState(false);
  const { draft, dirty } = bench;
  const keys = (e: KeyboardEvent) => {
    // What is typed in a dialog comes here, too, though it stands elsewhere.
    const here = e.currentTarget.contains(e.target as Node);
    if (!here || e.key !== 'Enter' || !(e.ctrlKey || e.metaKey)) return;
    e.preventDefault();
    bench.run();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys are a shortcut for the button within
    <div className={s.bench} onKeyDown={keys}>
      <Card
        title="Driver"
        note={published ? `version ${published.version}` : 'not published yet'}
        flush
        className={s.code}
        actions={
          <>
            {dirty && <Badge tone="warning">changed</Badge>}
            {dirty && published && (
              <Button size="s" onClick={bench.giveUp}>
                Give up changes
              </Button>
            )}
            {may && (
              <Button
                size="s"
                kind="primary"
                icon={<Upload aria-hidden />}
                disabled={!isThere(draft) || (!dirty && !!published)}
                onClick={() => setPublishing(true)}
              >
                Publish…
              </Button>
            )}
          </>
        }
      >
        <Code draft={draft} fixed={!!published} faults={bench.faultsOfCode} onChange={bench.change} />
      </Card>
      <div className={s.try}>
        <InputForm bench={bench} />
        <Result bench={bench} />
      </div>
      <Tests bench={bench} />
      {publishing && (
        <Publish
          draft={draft}
          owner={owner}
          fresh={!published}
          versions={versions}
          onClose={() => setPublishing(false)}
        />
      )}
    </div>
  );
}
