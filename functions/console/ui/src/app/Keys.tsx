import { Dialog } from '@/parts/Dialog';
import s from './Keys.module.css';
import { places } from './views';

/** The keys that work everywhere. */
export function Keys({ open, onClose }: { open: boolean; onClose: () => void }) {
  const keys: [keys: string[], what: string][] = [
    [[/Mac|iP/.test(navigator.platform) ? '⌘ K' : 'Ctrl K', '/'], 'Search twins, or do something'],
    ...places.map((p): [string[], string] => [[`g ${p.key}`], p.label]),
    [['↑ ↓', 'Enter'], 'Through tables and lists, and open'],
    [['Esc'], 'Close what is open'],
    [['?'], 'Show these keys'],
  ];
  return (
    <Dialog open={open} onClose={onClose} title="Keys">
      <dl className={s.keys}>
        {keys.map(([keys, what]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>
              {keys.map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
