import { expect, it } from 'vitest';
import { lineOf } from './lines';

const order = { epoch: 1, seq: 2 };

it('reads app, level and text of a line, and keeps what else there is', () => {
  const at = '2026-01-01T00:00:00Z';
  expect(
    lineOf({
      at,
      order,
      samples: [
        { p: 'level', v: 'WARN' },
        { p: 'app', v: 'web' },
        { p: 'text', v: 'slow' },
        { p: 'ms', v: 812 },
      ],
    }),
  ).toEqual({ key: '1.2', at, app: 'web', level: 'warn', text: 'slow ms=812' });
  expect(lineOf({ at, order, samples: [] }).text).toBe('');
});
