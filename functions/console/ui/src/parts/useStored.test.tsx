import { act, renderHook } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { areTexts, useStored } from './useStored';

const or = ['id'];
const stored = () => renderHook(() => useStored<readonly string[]>('fleet.hidden', or, areTexts)).result;

describe('useStored', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    localStorage.clear();
  });

  it('keeps what was chosen', () => {
    const hidden = stored();
    act(() => hidden.current[1](['tags']));
    expect(stored().current[0]).toEqual(['tags']);
  });

  it.each(['5', '{}', 'null', '[1]', '{', '"id"'])('takes %s for nothing', (kept) => {
    localStorage.setItem('castor.fleet.hidden', kept);
    expect(stored().current[0]).toBe(or);
  });

  it('works where storage is forbidden, for as long as the page lasts', () => {
    vi.stubGlobal('localStorage', {
      getItem() {
        throw new DOMException('denied', 'SecurityError');
      },
      setItem() {
        throw new DOMException('denied', 'SecurityError');
      },
    });
    const hidden = stored();
    expect(hidden.current[0]).toBe(or);
    act(() => hidden.current[1](['tags']));
    expect(stored().current[0]).toEqual(['tags']);
  });
});
