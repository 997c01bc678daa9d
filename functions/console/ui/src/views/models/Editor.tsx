import { useId, useMemo, useRef, useState } from 'react';
import type { Simulation } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { CodeArea } from '@/parts/CodeArea';
import { Page } from '@/parts/Page';
import { Tabs } from '@/parts/Tabs';
import { useKinds } from '@/parts/useKinds';
import { useParam } from '@/parts/useParam';
import { Conflict } from './Conflict';
import { DryRun } from './DryRun';
import s from './Editor.module.css';
import { Faults } from './Faults';
import { lineAt, startOf, stateAt, stateSpans } from './lines';
import { MoreMenu } from './MoreMenu';
import { notYet, shipped, usesOf } from './models';
import { Side } from './Side';
import { Uses } from './Uses';
import { useCheck } from './useCheck';
import { useDraft } from './useDraft';
import { useSave } from './useSave';
import { Versions } from './Versions';

/** A model's text with its drawing, its faults as it is typed, and what becomes of a device in it. `id` '' is one not yet saved. */
export function Editor({ id, begin }: { id: string; begin: { text: string; etag: string } }) {
  const draft = useDraft(id, begin);
  const { text, dirty } = draft;
  const checked = useCheck(text);
  const saving = useSave(id, draft, checked);
  const [tab, setTab] = useParam('tab', 'try');
  const [chosen, choose] = useState('');
  const [path, setPath] = useState<Simulation>();
  const area = useRef<HTMLTextAreaElement>(null);
  const faultsId = useId();
  const uses = usesOf(useKinds().values()).get(id) ?? [];
  const spans = useMemo(() => stateSpans(text), [text]);
  const goTo = (line: number, end = line) => {
    const el = area.current;
    if (!el) return;
    el.focus({ preventScroll: true });
    el.setSelectionRange(startOf(text, line), Math.max(startOf(text, line), startOf(text, end + 1) - 1));
    const box = el.parentElement?.parentElement;
    box?.scrollTo({ top: (line - 4) * 20, left: 0 });
  };
  const select = (name: string) => {
    choose(name);
    const span = spans.find((x) => x.name === name);
    if (span) goTo(span.from, span.to);
  };
  const fresh = begin.etag === notYet;
  const name = id || checked.model?.id || 'New model';
  const tabs = [
    {
      id: 'try',
      label: 'Dry run',
      content: <DryRun text={text} model={checked.model} good={checked.good} onPath={setPath} />,
    },
  ];
  if (!fresh)
    tabs.push(
      { id: 'versions', label: 'Versions', content: <Versions id={id} text={text} onRestore={draft.write} /> },
      {
        id: 'uses',
        label: 'Used by',
        content: uses.length ? <Uses uses={uses} /> : <p className={s.none}>No type uses it yet.</p>,
      },
    );
  return (
    <Page
      title={name}
      up={{ href: '/models', label: 'Provisioning models' }}
      badges={
        <>
          {!fresh && <Badge tone="info">version {draft.etag.replace(/\D/g, '')}</Badge>}
          {shipped.includes(id) && <Badge>ships with Castor</Badge>}
          {dirty && <Badge tone="warning">not saved</Badge>}
        </>
      }
      actions={
        <>
          <MoreMenu id={id} model={checked.model} text={text} etag={draft.etag} onText={draft.write} />
          {dirty && !fresh && <Button onClick={() => draft.write(draft.base)}>Give up changes</Button>}
          <Button
            kind="primary"
            busy={saving.busy}
            disabled={!checked.good || (!dirty && !fresh)}
            onClick={() => void saving.save()}
          >
            {fresh ? 'Save the model' : 'Save as new version'}
          </Button>
        </>
      }
    >
      {saving.refused && (
        <p role="alert" className={s.refused}>
          {saving.refused}
        </p>
      )}
      <div className={s.split}>
        <Card title="Text" note="YAML; faults show as you type" flush className={s.text}>
          <CodeArea
            area={area}
            label="The model as YAML"
            text={text}
            faults={checked.faults}
            chosen={spans.find((x) => x.name === chosen)}
            describedBy={faultsId}
            onChange={draft.write}
            onCaret={(at) => choose(stateAt(spans, lineAt(text, at))?.name ?? '')}
          />
          <Faults id={faultsId} checked={checked} onGo={goTo} />
        </Card>
        <Side checked={checked} path={tab === 'try' ? path : undefined} chosen={chosen} onSelect={select} />
      </div>
      <Card label="Dry run and versions">
        <Tabs label="About the model" tabs={tabs} value={tab} onChange={setTab} />
      </Card>
      {saving.theirs !== undefined && (
        <Conflict
          id={name}
          mine={text}
          theirs={saving.theirs}
          onClose={saving.leave}
          onTake={saving.take}
          onPut={() => void saving.put()}
        />
      )}
    </Page>
  );
}
