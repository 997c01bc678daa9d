// Models as files.
import { download } from '@/parts/download';
import { toast } from '@/parts/toast';

const most = 256 * 1024; // bytes that the platform takes

/** The text of a file that a person chose; '' where it cannot be a model. */
export async function readFile(f: File): Promise<string> {
  if (f.size > most) {
    toast.failed('Not read', new Error(`${f.name.slice(0, 80)} has more than 256 KiB`));
    return '';
  }
  const text = (await f.text()).replace(/\r\n?/g, '\n');
  if (!text.trim()) toast.failed('Not read', new Error('the file is empty'));
  return text.trim() ? text : '';
}

const nameOf = (id: string) => (id || 'model').replace(/[^A-Za-z0-9._-]/g, '_');

/** Gives the browser a model as a file. */
export const exportYaml = (id: string, text: string) => download(`${nameOf(id)}.yaml`, text, 'application/yaml');
export const exportJson = (id: string, model: object) =>
  download(`${nameOf(id)}.json`, `${JSON.stringify(model, null, 2)}\n`);
