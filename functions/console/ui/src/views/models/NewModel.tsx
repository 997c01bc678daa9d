import { useQuery } from '@tanstack/react-query';
import { FilePlus2, FileUp, Workflow } from 'lucide-react';
import { useRef, useState } from 'react';
import { Page } from '@/parts/Page';
import { Failure, Skeleton } from '@/parts/States';
import { useParam } from '@/parts/useParam';
import { Editor } from './Editor';
import { examples } from './examples';
import { readFile } from './files';
import { allModels, modelText, notYet } from './models';
import s from './NewModel.module.css';

/** A model that is not there yet: from an example, another model or a file. */
export default function NewModel() {
  const [from, setFrom] = useParam('from');
  const [copy, setCopy] = useParam('copy');
  const [file, setFile] = useState('');
  const copied = useQuery(modelText(copy));
  const example = examples.find((e) => e.id === from);
  const text = file || example?.text || (copied.data && renamed(copied.data.text, `${copy}-copy`));
  if (text) return <Editor key={`${from} ${copy}`} id="" begin={{ text, etag: notYet }} />;
  return (
    <Page title="New model" up={{ href: '/models', label: 'Provisioning models' }} note="What do you begin with?">
      {copied.isError && <Failure error={copied.error} what="The model could not be read" />}
      {copy && copied.isPending ? (
        <Skeleton lines={6} />
      ) : (
        <Beginnings onExample={setFrom} onCopy={setCopy} onFile={setFile} />
      )}
    </Page>
  );
}

/** A copy has a name of its own. */
const renamed = (text: string, id: string) => text.replace(/^id:.*$/m, () => `id: ${id}`);

function Beginnings({
  onExample,
  onCopy,
  onFile,
}: {
  onExample: (id: string) => void;
  onCopy: (id: string) => void;
  onFile: (text: string) => void;
}) {
  const models = useQuery(allModels);
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className={s.beginnings}>
      <h2>An example</h2>
      <div className={s.grid}>
        {examples.map((e) => (
          <button key={e.id} type="button" className={s.choice} onClick={() => onExample(e.id)}>
            <FilePlus2 aria-hidden />
            <b>{e.title}</b>
            <span>{e.about}</span>
          </button>
        ))}
      </div>
      <h2>A model that is there, or a file</h2>
      <div className={s.grid}>
        {models.data?.slice(0, 20).map((m) => (
          <button key={m.id} type="button" className={s.choice} onClick={() => onCopy(m.id)}>
            <Workflow aria-hidden />
            <b>
              A copy of <bdi>{m.id}</bdi>
            </b>
            <span dir="auto">{m.note}</span>
          </button>
        ))}
        <button type="button" className={s.choice} onClick={() => input.current?.click()}>
          <FileUp aria-hidden />
          <b>A file</b>
          <span>YAML or JSON, as exported here or by castor model get.</span>
        </button>
        <input
          ref={input}
          type="file"
          hidden
          accept=".yaml,.yml,.json"
          onChange={async (e) => {
            const f = e.target.files?.[0];
            e.target.value = '';
            if (f) onFile(await readFile(f));
          }}
        />
      </div>
    </div>
  );
}
