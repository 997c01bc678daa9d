import { useMemo } from 'react';
import { encode } from 'uqr';
import s from './Qr.module.css';

/** Text as a QR code: black on white in every theme, with the quiet zone that readers need. undefined where it is too much. */
export function Qr({ text, label }: { text: string; label: string }) {
  const code = useMemo(() => drawn(text), [text]);
  if (!code) return null;
  return (
    <svg
      className={s.qr}
      viewBox={`0 0 ${code.size} ${code.size}`}
      role="img"
      aria-label={label}
      shapeRendering="crispEdges"
    >
      <rect width={code.size} height={code.size} fill="#fff" />
      <path d={code.path} fill="#000" />
    </svg>
  );
}

/** One path for all dark modules, a run of them in a row at a time. */
export function drawn(text: string): { size: number; path: string } | undefined {
  try {
    // One mask: trying all eight, as the standard would have it, takes as long as eight codes, and readers take any.
    const { data, size } = encode(text, { ecc: 'L', border: 4, maskPattern: 0 });
    let path = '';
    data.forEach((row, y) => {
      for (let x = 0; x < size; x++) {
        if (!row[x]) continue;
        const from = x;
        while (x < size && row[x]) x++;
        path += `M${from} ${y}h${x - from}v1h${from - x}z`;
      }
    });
    return { size, path };
  } catch {
    return undefined; // more than the largest code holds
  }
}
