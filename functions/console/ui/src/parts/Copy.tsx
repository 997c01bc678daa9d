import { Check, Copy as CopyIcon } from 'lucide-react';
import { useState } from 'react';
import { IconButton } from './Button';
import s from './Copy.module.css';
import { toast } from './toast';

/** Puts text on the clipboard. */
export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {
      toast.failed('Not copied', new Error('the browser does not allow it here; select the text instead'));
    }
  };
  return (
    <IconButton label={done ? 'Copied' : label} onClick={copy}>
      {done ? <Check aria-hidden /> : <CopyIcon aria-hidden />}
    </IconButton>
  );
}

/** Code or a command to be pasted elsewhere. */
export function CodeBlock({ code, label }: { code: string; label: string }) {
  return (
    <section className={s.block} aria-label={label}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has only a keyboard must be able to scroll it */}
      <pre tabIndex={0}>{code}</pre>
      <CopyButton text={code} label={`Copy ${label}`} />
    </section>
  );
}
