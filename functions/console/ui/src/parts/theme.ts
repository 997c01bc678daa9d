import { useSyncExternalStore } from 'react';
import { storage } from '@/api/storage';

type Theme = 'system' | 'light' | 'dark';

const name = 'castor.theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

function kept(): Theme {
  const t = storage.get(name);
  return t === 'light' || t === 'dark' ? t : 'system';
}

let theme = kept();

function apply(): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const f of listeners) f();
}

export function setTheme(t: Theme): void {
  theme = t;
  storage.set(name, t);
  apply();
}

/** Before anything is drawn. */
export function startTheme(): void {
  system.addEventListener('change', apply);
  apply();
}

function subscribe(f: () => void): () => void {
  listeners.add(f);
  return () => void listeners.delete(f);
}

export const useTheme = () => useSyncExternalStore(subscribe, () => theme);

/** Whether the page is dark now. */
export const useDark = () =>
  useSyncExternalStore(subscribe, () => theme === 'dark' || (theme === 'system' && system.matches));
