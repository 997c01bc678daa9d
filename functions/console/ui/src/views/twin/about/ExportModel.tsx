import { Download } from 'lucide-react';
import { api, ok } from '@/api/client';
import { Button } from '@/parts/Button';
import { download } from '@/parts/download';
import { toast } from '@/parts/toast';
import { useAction } from '@/parts/useAction';

/** Gives the browser the type as a W3C Thing Model, which other platforms read. */
export function ExportModel({ type }: { type: string }) {
  const { busy, run } = useAction();
  const save = () =>
    run(async () => {
      try {
        const tm = await ok(api.GET('/function/twins/types/{id}/thing-model', { params: { path: { id: type } } }));
        download(`${type}.tm.jsonld`, `${JSON.stringify(tm, null, 2)}\n`, 'application/tm+json');
      } catch (e) {
        toast.failed('Not exported', e);
      }
    });
  return (
    <Button size="s" kind="quiet" icon={<Download aria-hidden />} busy={busy} onClick={() => void save()}>
      Thing Model
    </Button>
  );
}
