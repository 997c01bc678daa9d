import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const load = async () => {
  vi.resetModules();
  return import('./binding');
};

describe('binding', () => {
  beforeEach(() => localStorage.clear());
  afterEach(() => vi.restoreAllMocks());

  it('is 256 bits that tabs share and that stay', async () => {
    const { binding, consoleHeader } = await load();
    const value = binding.value();
    expect(value).toMatch(/^[\w-]{43}$/);
    expect(consoleHeader()).toEqual({ 'X-Castor-Console': value });
    expect((await load()).binding.value()).toBe(value);
    expect(binding.fresh()).not.toBe(value);
  });

  it('replaces what is no such value', async () => {
    localStorage.setItem('castor.page', 'x\n');
    const { binding } = await load();
    expect(binding.value()).toMatch(/^[\w-]{43}$/);
    expect(localStorage.getItem('castor.page')).toBe(binding.value());
  });

  it('is kept in memory where storage is forbidden', async () => {
    const no = () => {
      throw new DOMException('denied', 'SecurityError');
    };
    vi.spyOn(Storage.prototype, 'getItem').mockImplementation(no);
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(no);
    const { binding } = await load();
    const value = binding.value();
    expect(binding.value()).toBe(value);
    const next = binding.keep(binding.fresh());
    expect(binding.value()).toBe(next);
  });
});
