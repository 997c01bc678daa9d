import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { afterEach, expect, test } from 'vitest';
import { Handle } from './Handle';
import { scale } from './scale';

afterEach(cleanup);

/** jsdom has no pointer events; React reads of them what a mouse event has. */
const point = (what: string, clientY: number) =>
  fireEvent(screen.getByRole('slider'), new MouseEvent(`pointer${what}`, { bubbles: true, button: 0, clientY }));

function Chart({ moved }: { moved: (v: number) => void }) {
  const [value, setValue] = useState(50);
  return (
    <svg>
      <title>Chart</title>
      <Handle
        line={{ id: 'value', label: 'Threshold', value }}
        unit="Cel"
        y={scale(0, 100, 200, 0)}
        low={0}
        high={100}
        left={0}
        right={300}
        others={[]}
        onHold={() => {}}
        onMove={(v) => {
          setValue(v);
          moved(v);
        }}
      />
    </svg>
  );
}

test('a line is a slider: keys move it, a drag moves it and stays within', async () => {
  const values: number[] = [];
  render(<Chart moved={(v) => values.push(v)} />);
  const slider = screen.getByRole('slider', { name: 'Threshold' });
  expect(slider.getAttribute('aria-valuetext')).toBe('50 °C');
  await userEvent.tab();
  expect(document.activeElement).toBe(slider);
  await userEvent.keyboard('{ArrowUp}{ArrowUp}{PageDown}');
  expect(values).toEqual([50.5, 51, 46]);

  (slider as unknown as { setPointerCapture: () => void }).setPointerCapture = () => {}; // jsdom has none
  point('down', 108);
  point('move', 58);
  expect(values.at(-1)).toBe(71);
  point('move', -500);
  expect(values.at(-1)).toBe(100);
  point('up', 0);
  point('move', 100);
  expect(values.at(-1)).toBe(100);
});
