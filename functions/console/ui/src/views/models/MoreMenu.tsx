import { useQueryClient } from '@tanstack/react-query';
import { ChevronDown, Copy, Download, FileUp, Trash2 } from 'lucide-react';
import { useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { ProvisioningModel } from '@/api/types';
import { Button } from '@/parts/Button';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { Menu, MenuItem, MenuLine } from '@/parts/Menu';
import { toast } from '@/parts/toast';
import { drafts } from './drafts';
import { exportJson, exportYaml, readFile } from './files';
import { shipped } from './models';

/** What else can be done with a model: files, a copy, its end. */
export function MoreMenu({
  id,
  model,
  text,
  etag,
  onText,
}: {
  /** '' = not saved yet. */
  id: string;
  model: ProvisioningModel | undefined;
  text: string;
  etag: string;
  onText: (text: string) => void;
}) {
  const [, go] = useLocation();
  const [deleting, setDeleting] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const name = id || model?.id || '';
  return (
    <>
      <Menu
        trigger={
          <Button>
            More <ChevronDown aria-hidden />
          </Button>
        }
      >
        {id && (
          <MenuItem icon={<Copy aria-hidden />} onSelect={() => go(`/new-model?copy=${encodeURIComponent(id)}`)}>
            Duplicate
          </MenuItem>
        )}
        <MenuItem icon={<FileUp aria-hidden />} onSelect={() => input.current?.click()}>
          Import a file into the text…
        </MenuItem>
        <MenuItem icon={<Download aria-hidden />} onSelect={() => exportYaml(name, text)}>
          Export as YAML
        </MenuItem>
        <MenuItem icon={<Download aria-hidden />} disabled={!model} onSelect={() => model && exportJson(name, model)}>
          Export as JSON
        </MenuItem>
        {id && !shipped.includes(id) && (
          <>
            <MenuLine />
            <MenuItem icon={<Trash2 aria-hidden />} danger onSelect={() => setDeleting(true)}>
              Delete…
            </MenuItem>
          </>
        )}
      </Menu>
      <input
        ref={input}
        type="file"
        hidden
        accept=".yaml,.yml,.json"
        onChange={async (e) => {
          const f = e.target.files?.[0];
          e.target.value = '';
          const t = f && (await readFile(f));
          if (t) onText(t);
        }}
      />
      {deleting && <Delete id={id} etag={etag} onClose={() => setDeleting(false)} />}
    </>
  );
}

function Delete({ id, etag, onClose }: { id: string; etag: string; onClose: () => void }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const remove = async () => {
    const params = { path: { id }, header: { 'If-Match': etag } };
    await ok(api.DELETE('/function/twin-provision/models/{id}', { params }));
    drafts.drop(id);
    toast.done(`${id} is deleted`);
    go('/models');
    queries.removeQueries({ queryKey: ['models', id] });
    void queries.invalidateQueries({ queryKey: keys.models(), exact: true });
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Delete this model?"
      note="It is refused while a type names it or an open run follows it. Runs that are over keep what they went by."
      verb="Delete"
      danger
      work={remove}
    >
      <code>{id}</code>
    </ConfirmDialog>
  );
}
